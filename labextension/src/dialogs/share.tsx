import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type {
  ICreatedShare,
  INewShare,
  IPackage,
  IServerStatus,
  IShare,
  IShareChange,
  IShareTerms,
  IVersion
} from '../api/types';
import { CopyLine } from '../components/parts';
import { exactDate, versionName } from '../format';
import { curlLine, wgetLine } from '../recipes';
import type { FormValues, IForm } from './form';
import { Choice, Field, openForm } from './form';
import { SelectField } from './select';
import { ShareTerms } from './shareterms';

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
  /** Kinds of audience that this server can check. */
  readonly audiences: IServerStatus['audiences'];
  readonly submit: (share: INewShare) => Promise<ICreatedShare>;
}

/** How to open the dialog on a share that is there. */
export interface IShareEditOptions {
  readonly trans: TranslationBundle;
  readonly share: IShare;
  readonly versions: readonly IVersion[];
  readonly audiences: IServerStatus['audiences'];
  readonly submit: (change: IShareChange) => Promise<ICreatedShare>;
}

/** Change a share; its link stays. */
export async function openShareEditDialog(
  options: IShareEditOptions
): Promise<ICreatedShare | null> {
  const { trans, share } = options;
  const state = new ShareForm(
    { trans, packages: [], name: share.package, version: share.version },
    options.versions,
    new ShareTerms(trans, options.audiences, share),
    share
  );
  return openForm<ICreatedShare>({
    title: trans.__('Change the share of %1', share.package),
    accept: trans.__('Change'),
    trans,
    render: form => state.render(form),
    submit: values =>
      options.submit({ ...state.readTerms(values), revision: share.revision })
  });
}

/** Ask who may read what for how long, and share it. */
export async function openShareDialog(
  options: IShareDialogOptions
): Promise<ICreatedShare | null> {
  const { trans, name } = options;
  const state = new ShareForm(
    options,
    await options.versions(name),
    new ShareTerms(trans, options.audiences, null)
  );
  return openForm<ICreatedShare>({
    title: trans.__('Share a package'),
    accept: trans.__('Share'),
    trans,
    render: form => state.render(form),
    submit: values =>
      options.submit({
        ...state.readTerms(values),
        package: values.get('package') ?? name
      })
  });
}

/** What the form begins with. */
interface IShareFormOptions {
  readonly trans: TranslationBundle;
  readonly packages: readonly IPackage[];
  readonly name: string;
  readonly version: string | null;
  readonly versions?: (name: string) => Promise<readonly IVersion[]>;
}

/** Which fields are shown. */
class ShareForm {
  constructor(
    options: IShareFormOptions,
    versions: readonly IVersion[],
    terms: ShareTerms,
    share: IShare | null = null
  ) {
    this._options = options;
    this._name = options.name;
    this._versions = versions;
    this._terms = terms;
    this._share = share;
    this._who = share?.has_password ? 'keep' : 'link';
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
          options={this._whoOptions()}
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
          value={this._share ? 'keep' : '604800'}
          options={this._untilOptions()}
        />
        {this._terms.render(form)}
      </>
    );
  }

  readTerms(values: FormValues): IShareTerms {
    const terms: IShareTerms = {
      ...this._terms.read(values),
      version: values.get('version') || 'latest'
    };
    // A password is taken as it was typed.
    const password = values.get('password');
    if (this._who === 'password' && password) {
      terms.password = password;
    } else if (this._who === 'link' && this._share?.has_password) {
      terms.password = null;
    }
    const expires = values.get('expires');
    if (expires) {
      if (expires !== 'keep') {
        terms.expires_in_s = Number(expires);
      }
    } else if (this._share) {
      terms.expires_in_s = null;
    }
    return terms;
  }

  private _whoOptions(): { value: string; label: string }[] {
    const { trans } = this._options;
    const hasPassword = this._share?.has_password ?? false;
    const options = [
      { value: 'link', label: trans.__('Anyone with the link') },
      {
        value: 'password',
        label: hasPassword
          ? trans.__('Anyone with the link and another password')
          : trans.__('Anyone with the link and a password')
      }
    ];
    if (hasPassword) {
      options.push({
        value: 'keep',
        label: trans.__('Anyone with the link and the password it has')
      });
    }
    return options;
  }

  private _untilOptions(): [string, string][] {
    const { trans } = this._options;
    const options: [string, string][] = [
      [String(DAY_S), trans.__('1 day from now')],
      [String(7 * DAY_S), trans.__('7 days from now')],
      [String(30 * DAY_S), trans.__('30 days from now')],
      [String(365 * DAY_S), trans.__('1 year from now')],
      ['', trans.__('It is revoked')]
    ];
    const share = this._share;
    if (share) {
      options.unshift([
        'keep',
        share.expires_s === null
          ? trans.__('As now: it is revoked')
          : trans.__('As now: %1', exactDate(share.expires_s))
      ]);
    }
    return options;
  }

  private _renderWhat(form: IForm): React.JSX.Element {
    const { trans, packages, version } = this._options;
    const first = version ?? this._versions[0]?.version ?? 'latest';
    return (
      <>
        {this._share === null && (
          <SelectField
            label={trans.__('Package')}
            name="package"
            value={this._name}
            options={packages.map(info => [info.name, info.name])}
            onChange={name => void this._choose(name, form)}
          />
        )}
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
    this._versions = (await this._options.versions?.(name)) ?? [];
    this._name = name;
    form.update();
  }

  private _options: IShareFormOptions;
  private _versions: readonly IVersion[];
  private _terms: ShareTerms;
  private _share: IShare | null;
  private _name: string;
  private _who: string;
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
