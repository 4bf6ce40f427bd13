import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { ICreatedToken, IFeed, INewToken } from '../api/types';
import { CopyLine } from '../components/parts';
import { exactDate } from '../format';
import type { FormValues } from './form';
import { Choice, Field, openForm } from './form';
import { SelectField } from './select';

const DAY_S = 86_400;

/** What stands for all artifacts, whatever feed they belong to. */
const OCI = 'oci';

/** How to open the dialog. */
export interface ITokenDialogOptions {
  readonly trans: TranslationBundle;
  readonly feeds: readonly IFeed[];
  /** The one to begin with: `pypi/main`. */
  readonly feed: string | null;
  readonly submit: (token: INewToken) => Promise<ICreatedToken>;
}

/** Ask what a program may do for how long, and make a token for it. */
export async function openTokenDialog(
  options: ITokenDialogOptions
): Promise<ICreatedToken | null> {
  const { trans } = options;
  return openForm<ICreatedToken>({
    title: trans.__('New token'),
    accept: trans.__('Make'),
    trans,
    render: () => renderFields(options),
    submit: values => options.submit(readToken(values))
  });
}

function renderFields(options: ITokenDialogOptions): React.JSX.Element {
  const { trans } = options;
  const feeds = options.feeds.map(({ ecosystem, name }): [string, string] => [
    `${ecosystem}/${name}`,
    `${ecosystem}/${name}`
  ]);
  return (
    <>
      <SelectField
        label={trans.__('For')}
        name="feed"
        value={options.feed ?? feeds[0]?.[0] ?? OCI}
        options={[...feeds, [OCI, trans.__('Artifacts, with OCI clients')]]}
      />
      <Field
        label={trans.__('Projects')}
        name="projects"
        value="*"
        pattern="[^:\\s]{1,200}"
        title={trans.__('No space and no colon')}
        hint={trans.__(
          'A name, or a pattern: demo-* is every project that begins with demo-.'
        )}
        isRequired
      />
      <Choice
        label={trans.__('May')}
        name="may"
        value="read"
        options={[
          { value: 'read', label: trans.__('Read') },
          { value: 'publish', label: trans.__('Read and publish') },
          {
            value: 'publish delete',
            label: trans.__('Read, publish and delete')
          }
        ]}
      />
      <SelectField
        label={trans.__('Until')}
        name="expires"
        value={String(90 * DAY_S)}
        options={[
          [String(DAY_S), trans.__('1 day from now')],
          [String(7 * DAY_S), trans.__('7 days from now')],
          [String(30 * DAY_S), trans.__('30 days from now')],
          [String(90 * DAY_S), trans.__('90 days from now')],
          [String(365 * DAY_S), trans.__('1 year from now')]
        ]}
      />
      <Field
        label={trans.__('Description, for your own list')}
        name="description"
        placeholder={trans.__('Build server')}
      />
    </>
  );
}

/** The token that the form asks for. */
export function readToken(values: FormValues): INewToken {
  const typed = (name: string): string => values.get(name)?.trim() ?? '';
  const projects = typed('projects') || '*';
  const feed = typed('feed');
  const place = projects === '*' && feed !== OCI ? feed : `${feed}/${projects}`;
  return {
    scopes: typed('may')
      .split(' ')
      .map(action => `${place}:${action}`),
    expires_in_s: Number(typed('expires')),
    description: typed('description')
  };
}

/** Show the token: it is known at this moment only. */
export async function showToken(
  created: ICreatedToken,
  trans: TranslationBundle
): Promise<void> {
  const { token, info } = created;
  const label = trans.__('Token');
  await showDialog({
    title: trans.__('The token is made'),
    body: (
      <div className="jp-packager-form">
        <div className="jp-packager-field">
          <span className="jp-packager-field-label">{label}</span>
          <CopyLine text={token} label={label} trans={trans} />
          <span className="jp-packager-field-hint">
            {trans.__(
              'Copy it now: it is shown this once. Whoever has it may %1.',
              info.scopes.join(', ')
            )}
          </span>
        </div>
        <p className="jp-packager-field-hint">
          {trans.__(
            'pip, uv, twine and OCI clients take it as the password (user __token__), terraform as the token of its credentials block.'
          )}
        </p>
        <p className="jp-packager-field-hint">
          {trans.__(
            'It works until %1, or until you revoke it.',
            exactDate(info.expires_s)
          )}
        </p>
      </div>
    ),
    buttons: [Dialog.okButton({ label: trans.__('Done') })]
  });
}
