import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { INewSource, ISource, ISourceOptions } from '../api/types';
import type { FormValues, IForm } from './form';
import { Choice, Field, More, openForm } from './form';
import type { ICredentialForm, IKindField, IKindForm } from './sourcekinds';
import { sourceKinds } from './sourcekinds';

/** What the names of sources look like; the server says the same. */
const NAME_PATTERN = '[a-z0-9]([a-z0-9._\\-]{0,62})';

/** How to open the dialog. */
export interface ISourceDialogOptions {
  readonly trans: TranslationBundle;
  /** The source to change; null to connect a new one. */
  readonly source: ISource | null;
  /** An address to begin with. */
  readonly url?: string;
  readonly submit: (source: INewSource) => Promise<void>;
}

/** Ask for a source and connect (or change) it. Resolves with whether it was done. */
export async function openSourceDialog(
  options: ISourceDialogOptions
): Promise<boolean> {
  const { trans, source } = options;
  const state = new SourceForm(options);
  const done = await openForm<true>({
    title: source
      ? trans.__('Change source %1', source.name)
      : trans.__('Add a source'),
    accept: source ? trans.__('Save') : trans.__('Add'),
    trans,
    render: form => state.render(form),
    submit: async values => {
      await options.submit(state.read(values));
      return true;
    }
  });
  return done ?? false;
}

/** Which fields are shown; what is typed into them stays in the page. */
class SourceForm {
  constructor(options: ISourceDialogOptions) {
    const { source, url } = options;
    this._options = options;
    this._kinds = sourceKinds(options.trans);
    const address = source?.url ?? url ?? '';
    const byAddress = Object.keys(this._kinds).find(kind =>
      address.startsWith(this._kind(kind).scheme)
    );
    this._selected = source?.kind ?? byAddress ?? 's3';
    this._credential =
      this._form.credentials.find(
        ({ kind }) => kind === source?.credential.kind
      )?.id ??
      this._form.credentials[0]?.id ??
      '';
  }

  render(form: IForm): React.JSX.Element {
    const { trans, source, url } = this._options;
    const kind = this._form;
    return (
      <>
        <Choice
          label={trans.__('Kind')}
          name="kind"
          value={this._selected}
          isReadOnly={source !== null}
          options={Object.entries(this._kinds).map(([value, { label }]) => ({
            value,
            label
          }))}
          onChange={value => {
            this._selected = value;
            this._credential = this._form.credentials[0]?.id ?? '';
            form.update();
          }}
        />
        <Field
          key={`${this._selected}-url`}
          label={kind.urlLabel}
          name="url"
          value={source?.url ?? url}
          placeholder={kind.urlPlaceholder}
          isRequired
        />
        <Field
          label={trans.__('Name')}
          name="name"
          value={source?.name}
          placeholder={trans.__('lake')}
          pattern={NAME_PATTERN}
          title={trans.__(
            'Lower-case letters and digits, and . _ - after the first; at most 63.'
          )}
          isRequired
          isReadOnly={source !== null}
        />
        {this._optionFields(kind.options)}
        {this._renderCredential(form, kind)}
        {kind.more.length > 0 && (
          <More label={trans.__('More')}>{this._optionFields(kind.more)}</More>
        )}
      </>
    );
  }

  /** What was typed, as the server wants it. */
  read(values: FormValues): INewSource {
    const typed = (name: string): string => values.get(name)?.trim() ?? '';
    const kind = this._form;
    const options: ISourceOptions = {};
    for (const { name } of [...kind.options, ...kind.more]) {
      const value = typed(name);
      if (value) {
        Object.assign(options, { [name]: value });
      }
    }
    const credential = this._chosen;
    const result: INewSource = {
      name: typed('name'),
      url: this._address(typed('url')),
      options,
      credential: { kind: credential?.kind ?? 'none' }
    };
    if (credential?.ref) {
      result.credential.ref = typed(credential.ref.name);
    }
    const secret = (credential?.secret ?? [])
      .map(({ name }): [string, string] => [name, typed(name)])
      .filter(([, value]) => value);
    if (secret.length > 0) {
      result.secret = Object.fromEntries(secret);
    }
    return result;
  }

  private _renderCredential(form: IForm, kind: IKindForm): React.ReactNode {
    const { trans, source } = this._options;
    const chosen = this._chosen;
    if (!chosen) {
      return null;
    }
    const keeps =
      source?.credential.kind === 'stored' && chosen.kind === 'stored';
    return (
      <React.Fragment key={this._selected}>
        <Choice
          label={trans.__('Credential')}
          name="credential"
          value={this._credential}
          options={kind.credentials.map(({ id, label }) => ({
            value: id,
            label
          }))}
          onChange={value => {
            this._credential = value;
            form.update();
          }}
        />
        {chosen.ref && (
          <FieldOf
            field={chosen.ref}
            value={source?.credential.ref ?? undefined}
          />
        )}
        {chosen.secret?.map(field => (
          <FieldOf
            key={field.name}
            field={keeps ? { ...field, isRequired: false } : field}
          />
        ))}
        {keeps && (
          <p className="jp-packager-field-hint">
            {trans.__(
              'Leave the key empty to keep the stored one (%1). Another address forgets it.',
              source.credential.hint ?? '…'
            )}
          </p>
        )}
      </React.Fragment>
    );
  }

  private _optionFields(
    fields: readonly (IKindField & { name: keyof ISourceOptions })[]
  ): React.ReactNode {
    const { source } = this._options;
    return fields.map(field => {
      const value = source?.options[field.name];
      return (
        <FieldOf
          key={`${this._selected}-${field.name}`}
          field={field}
          value={typeof value === 'string' ? value : undefined}
        />
      );
    });
  }

  /** People paste paths of folders, too. */
  private _address(typed: string): string {
    return this._selected === 'local' && typed.startsWith('/')
      ? `file://${typed}`
      : typed;
  }

  private _kind(name: string): IKindForm {
    const kind = this._kinds[name];
    if (!kind) {
      throw new Error(`Unknown kind of source: ${name}`);
    }
    return kind;
  }

  private get _form(): IKindForm {
    return this._kind(this._selected);
  }

  private get _chosen(): ICredentialForm | undefined {
    return this._form.credentials.find(({ id }) => id === this._credential);
  }

  private _options: ISourceDialogOptions;
  private _kinds: Readonly<Record<string, IKindForm>>;
  private _selected: string;
  private _credential: string;
}

function FieldOf(props: {
  field: IKindField;
  value?: string;
}): React.JSX.Element {
  const { field, value } = props;
  return (
    <Field
      label={field.label}
      name={field.name}
      type={field.isSecret ? 'password' : 'text'}
      value={value}
      placeholder={field.placeholder}
      hint={field.hint}
      isRequired={field.isRequired}
    />
  );
}
