import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type {
  ICreatedShare,
  INewShare,
  IPackage,
  IVersion
} from '../api/types';
import { CopyLine } from '../components/parts';
import { exactDate, versionName } from '../format';
import { curlLine, wgetLine } from '../recipes';
import type { FormValues, IForm } from './form';
import { Choice, Field, More, openForm } from './form';
import { SelectField } from './select';

const DAY_S = 86_400;

/** How to open the dialog. */
export interface IShareDialogOptions {
  readonly trans: TranslationBundle;
  /** The published packages to choose from. */
  readonly packages: readonly IPackage[];
  /** The one to begin with. */
  readonly name: string;
  /** The version to begin with; null for the newest. */
  readonly version: string | null;
  readonly versions: (name: string) => Promise<readonly IVersion[]>;
  readonly submit: (share: INewShare) => Promise<ICreatedShare>;
}

/** Ask who may read what for how long, and share it. */
export async function openShareDialog(
  options: IShareDialogOptions
): Promise<ICreatedShare | null> {
  const { trans, name } = options;
  const state = new ShareForm(options, await options.versions(name));
  return openForm<ICreatedShare>({
    title: trans.__('Share a package'),
    accept: trans.__('Share'),
    trans,
    render: form => state.render(form),
    submit: values => options.submit(state.read(values))
  });
}

/** Which fields are shown. */
class ShareForm {
  constructor(options: IShareDialogOptions, versions: readonly IVersion[]) {
    this._options = options;
    this._name = options.name;
    this._versions = versions;
  }

  render(form: IForm): React.JSX.Element {
    const { trans } = this._options;
    return (
      <>
        {this._renderWhat(form)}
        <Choice
          label={trans.__('Who')}
          name="who"
          value={this._who}
          options={[
            { value: 'link', label: trans.__('Anyone with the link') },
            {
              value: 'password',
              label: trans.__('Anyone with the link and a password')
            }
          ]}
          onChange={value => {
            this._who = value;
            form.update();
          }}
        />
        {this._who === 'password' && (
          <Field
            label={trans.__('Password')}
            name="password"
            type="password"
            isRequired
          />
        )}
        <SelectField
          label={trans.__('Until')}
          name="expires"
          value="604800"
          options={[
            [String(DAY_S), trans.__('1 day from now')],
            [String(7 * DAY_S), trans.__('7 days from now')],
            [String(30 * DAY_S), trans.__('30 days from now')],
            [String(365 * DAY_S), trans.__('1 year from now')],
            ['', trans.__('It is revoked')]
          ]}
        />
        <More label={trans.__('More')}>
          <Field
            label={trans.__('Description, for your own list')}
            name="description"
          />
          <Field
            label={trans.__('Words in the link')}
            name="slug"
            placeholder={trans.__('ocean-survey')}
            hint={trans.__(
              'The link begins with them; what makes it secret stays.'
            )}
          />
        </More>
      </>
    );
  }

  read(values: FormValues): INewShare {
    const typed = (name: string): string => values.get(name)?.trim() ?? '';
    const share: INewShare = {
      package: typed('package'),
      version: typed('version') || 'latest'
    };
    // A password is taken as it was typed.
    const password = values.get('password');
    if (this._who === 'password' && password) {
      share.password = password;
    }
    if (typed('expires')) {
      share.expires_in_s = Number(typed('expires'));
    }
    if (typed('description')) {
      share.description = typed('description');
    }
    if (typed('slug')) {
      share.slug = typed('slug');
    }
    return share;
  }

  private _renderWhat(form: IForm): React.JSX.Element {
    const { trans, packages, version } = this._options;
    const first = version ?? this._versions[0]?.version ?? 'latest';
    return (
      <>
        <SelectField
          label={trans.__('Package')}
          name="package"
          value={this._name}
          options={packages.map(info => [info.name, info.name])}
          onChange={name => void this._choose(name, form)}
        />
        <SelectField
          key={this._name}
          label={trans.__('Version')}
          name="version"
          value={first}
          options={[
            ...this._versions.map((info, at): [string, string] => [
              info.version,
              at === 0
                ? trans.__(
                    '%1, the newest; it stays this one',
                    versionName(info.version)
                  )
                : versionName(info.version)
            ]),
            ['latest', trans.__('Always the newest')]
          ]}
        />
      </>
    );
  }

  private async _choose(name: string, form: IForm): Promise<void> {
    this._versions = await this._options.versions(name);
    this._name = name;
    form.update();
  }

  private _options: IShareDialogOptions;
  private _versions: readonly IVersion[];
  private _name: string;
  private _who = 'link';
}

/** Show the link and the lines that use it: the capability is known at this moment only. */
export async function showShareResult(
  created: ICreatedShare,
  exampleFile: string | null,
  trans: TranslationBundle
): Promise<void> {
  const { share, url, capability_url: capability } = created;
  const open = capability ?? url;
  await showDialog({
    title: trans.__('%1 is shared', share.package),
    body: (
      <div className="jp-packager-form">
        <Line label={trans.__('Link')} text={url} trans={trans} />
        {capability && (
          <Line
            label={trans.__('Link that needs no password')}
            text={capability}
            trans={trans}
            hint={trans.__(
              'For programs and close colleagues. It is shown this once; whoever has it can read.'
            )}
          />
        )}
        {exampleFile !== null && (
          <>
            <Line
              label={trans.__('One file, in a terminal')}
              text={curlLine(open, exampleFile)}
              trans={trans}
            />
            <Line
              label={trans.__('All files, in a terminal')}
              text={wgetLine(open, share.package)}
              trans={trans}
            />
          </>
        )}
        <p className="jp-packager-field-hint">
          {share.expires_s === null
            ? trans.__('It works until you revoke it.')
            : trans.__('It works until %1.', exactDate(share.expires_s))}
        </p>
      </div>
    ),
    buttons: [Dialog.okButton({ label: trans.__('Done') })]
  });
}

/** A labelled line to copy. */
function Line(props: {
  label: string;
  text: string;
  hint?: string;
  trans: TranslationBundle;
}): React.JSX.Element {
  return (
    <div className="jp-packager-field">
      <span className="jp-packager-field-label">{props.label}</span>
      <CopyLine text={props.text} label={props.label} trans={props.trans} />
      {props.hint && (
        <span className="jp-packager-field-hint">{props.hint}</span>
      )}
    </div>
  );
}
