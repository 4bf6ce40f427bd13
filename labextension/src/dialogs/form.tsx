/**
 * A dialog with a form that stays open until the server has taken it.
 *
 * Fields are uncontrolled: what is typed lives in the page's inputs until it is sent and nowhere
 * else, which is what passwords and keys need. What the server refuses is said in the dialog, and
 * nothing that was typed is lost.
 */

import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Panel } from '@lumino/widgets';
import React from 'react';

import type { PackagerError } from '../api/errors';
import { asPackagerError } from '../api/errors';
import { Notice } from '../components/notice';

/** What was typed, by the names of the fields. */
export type FormValues = ReadonlyMap<string, string>;

/** What a form dialog asks and does. */
export interface IFormOptions<R> {
  readonly title: string;
  readonly accept: string;
  readonly trans: TranslationBundle;
  /** The fields; rendered again whenever `update` of the form is called. */
  readonly render: (form: IForm) => React.ReactNode;
  /** Send it. What it throws is shown, and the dialog stays. */
  readonly submit: (values: FormValues) => Promise<R>;
}

/** What fields may ask of their form. */
export interface IForm {
  /** Render the fields again: a choice decides which ones there are. */
  readonly update: () => void;
  readonly isBusy: boolean;
}

/** Open a form; resolves with what `submit` gave, or null when it was cancelled. */
export async function openForm<R>(options: IFormOptions<R>): Promise<R | null> {
  const body = new FormBody<R>(options);
  const dialog = new FormDialog<R>(options, body);
  const result = await dialog.launch();
  return result.button.accept ? result.value : null;
}

class FormDialog<R> extends Dialog<R | null> {
  constructor(options: IFormOptions<R>, body: FormBody<R>) {
    const { trans } = options;
    super({
      title: options.title,
      body,
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: options.accept })
      ]
    });
    this.addClass('jp-packager-dialog');
    this._form = body;
  }

  override resolve(index?: number): void {
    if (index === 0) {
      super.resolve(index);
    } else {
      void this._submit();
    }
  }

  protected override _evtKeydown(event: KeyboardEvent): void {
    const isEnter = event.key === 'Enter';
    if (isEnter && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.stopPropagation();
      this.resolve();
      return;
    }
    // Enter on a fold or a button within the form does what it says, not what the dialog does.
    const target = event.target as Element;
    if (isEnter && target.closest('summary, .jp-packager-form button')) {
      return;
    }
    super._evtKeydown(event);
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    void this._form.focusFirst();
  }

  private async _submit(): Promise<void> {
    if (await this._form.submit()) {
      super.resolve(1);
    }
  }

  private _form: FormBody<R>;
}

/**
 * The body of the dialog. The form is a child: a React widget as the body itself would have its
 * inputs wrapped by the dialog behind React's back.
 */
class FormBody<R> extends Panel implements Dialog.IBodyWidget<R | null> {
  constructor(options: IFormOptions<R>) {
    super();
    this._fields = new FormFields<R>(options);
    this.addWidget(this._fields);
  }

  getValue(): R | null {
    return this._fields.result;
  }

  async submit(): Promise<boolean> {
    return this._fields.submit();
  }

  async focusFirst(): Promise<void> {
    await this._fields.renderPromise;
    this._fields.node
      .querySelector<HTMLElement>(
        'input:not([type=radio]):not([readonly]), textarea, select, input:checked'
      )
      ?.focus();
  }

  private _fields: FormFields<R>;
}

class FormFields<R> extends ReactWidget {
  constructor(options: IFormOptions<R>) {
    super();
    this._options = options;
  }

  result: R | null = null;

  async submit(): Promise<boolean> {
    const form = this.node.querySelector('form');
    if (this._isBusy || !form?.reportValidity()) {
      return false;
    }
    this._setState(true, null);
    try {
      this.result = await this._options.submit(valuesOf(form));
      return true;
    } catch (error) {
      this._setState(false, asPackagerError(error, this._options.trans));
      return false;
    }
  }

  protected override render(): React.JSX.Element {
    const { trans, render } = this._options;
    return (
      <form
        className="jp-packager-form"
        aria-busy={this._isBusy}
        onSubmit={event => event.preventDefault()}
      >
        {render({
          // Another choice is another question: the last answer no longer belongs to it.
          update: () => this._setState(this._isBusy, null),
          isBusy: this._isBusy
        })}
        {this._error && <Notice error={this._error} trans={trans} />}
      </form>
    );
  }

  private _setState(isBusy: boolean, error: PackagerError | null): void {
    this._isBusy = isBusy;
    this._error = error;
    this.update();
  }

  private _options: IFormOptions<R>;
  private _isBusy = false;
  private _error: PackagerError | null = null;
}

function valuesOf(form: HTMLFormElement): FormValues {
  const values = new Map<string, string>();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === 'string') {
      values.set(name, value);
    }
  }
  return values;
}

/** One labelled input. */
export function Field(props: {
  label: string;
  name: string;
  hint?: string;
  type?: 'text' | 'password' | 'number' | 'date' | 'datetime-local' | 'url';
  value?: string;
  placeholder?: string;
  pattern?: string;
  title?: string;
  isRequired?: boolean;
  isReadOnly?: boolean;
  onChange?: (value: string) => void;
}): React.JSX.Element {
  const isSecret = props.type === 'password';
  return (
    <label className="jp-packager-field">
      <span className="jp-packager-field-label">{props.label}</span>
      <input
        className="jp-mod-styled"
        name={props.name}
        type={props.type ?? 'text'}
        defaultValue={props.value}
        placeholder={props.placeholder}
        pattern={props.pattern}
        title={props.title}
        required={props.isRequired}
        readOnly={props.isReadOnly}
        spellCheck={false}
        autoComplete={isSecret ? 'new-password' : 'off'}
        onChange={event => props.onChange?.(event.currentTarget.value)}
      />
      {props.hint && (
        <span className="jp-packager-field-hint">{props.hint}</span>
      )}
    </label>
  );
}

/** One labelled text of several lines. */
export function Area(props: {
  label: string;
  name: string;
  value?: string;
  hint?: string;
  placeholder?: string;
}): React.JSX.Element {
  return (
    <label className="jp-packager-field">
      <span className="jp-packager-field-label">{props.label}</span>
      <textarea
        className="jp-mod-styled"
        name={props.name}
        rows={3}
        defaultValue={props.value}
        placeholder={props.placeholder}
        spellCheck={false}
      />
      {props.hint && (
        <span className="jp-packager-field-hint">{props.hint}</span>
      )}
    </label>
  );
}

/** One of a few choices, as radio buttons. */
export function Choice(props: {
  label: string;
  name: string;
  value: string;
  options: readonly { readonly value: string; readonly label: string }[];
  isReadOnly?: boolean;
  onChange?: (value: string) => void;
}): React.JSX.Element {
  return (
    <fieldset className="jp-packager-field jp-packager-choice">
      <legend className="jp-packager-field-label">{props.label}</legend>
      {props.options.map(option => (
        <label key={option.value}>
          <input
            type="radio"
            name={props.name}
            value={option.value}
            defaultChecked={option.value === props.value}
            disabled={props.isReadOnly && option.value !== props.value}
            onChange={() => props.onChange?.(option.value)}
          />
          {option.label}
        </label>
      ))}
    </fieldset>
  );
}

/** Fields that few need, folded away. */
export function More(props: {
  label: string;
  isOpen?: boolean;
  children: React.ReactNode;
}): React.JSX.Element {
  return (
    <details className="jp-packager-more" open={props.isOpen}>
      <summary>{props.label}</summary>
      {props.children}
    </details>
  );
}
