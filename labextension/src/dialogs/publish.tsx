import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

import type { IAttachment, IDraftStatus } from '../api/types';
import { CopyLine } from '../components/parts';
import {
  countFiles,
  exactSize,
  formatCount,
  formatSize,
  versionName
} from '../format';
import { Field, openForm } from './form';

/** How to open the dialog. */
export interface IPublishDialogOptions {
  readonly trans: TranslationBundle;
  readonly name: string;
  readonly status: IDraftStatus;
  readonly attachments: readonly IAttachment[];
  readonly submit: (version: string | null) => Promise<void>;
}

/** Show what publishing will freeze, and freeze it. Resolves with whether it was begun. */
export async function openPublishDialog(
  options: IPublishDialogOptions
): Promise<boolean> {
  const { trans, name } = options;
  const done = await openForm<true>({
    title: trans.__('Publish %1', name),
    accept: trans.__('Publish'),
    trans,
    render: () => <PublishFields {...options} />,
    submit: async values => {
      await options.submit(values.get('version')?.trim() || null);
      return true;
    }
  });
  return done ?? false;
}

function PublishFields(props: IPublishDialogOptions): React.JSX.Element {
  const { status, trans, attachments } = props;
  return (
    <>
      <p>{trans.__('A version never changes once it is published.')}</p>
      <dl className="jp-packager-facts">
        <dt>{trans.__('Files')}</dt>
        <dd>{countFiles(status.files, trans)}</dd>
        <dt>{trans.__('Bytes')}</dt>
        <dd>
          {formatSize(status.bytes)}{' '}
          <small>({exactSize(status.bytes, trans)})</small>
        </dd>
        <dt>{trans.__('Attached')}</dt>
        <dd>{attachedText(attachments, trans)}</dd>
        <dt>{trans.__('Changes')}</dt>
        <dd>{changesText(status, trans)}</dd>
        <dt>{trans.__('Checksums')}</dt>
        <dd>{checksumsText(status, trans)}</dd>
      </dl>
      {status.digest && (
        <>
          <span className="jp-packager-field-label">{trans.__('Digest')}</span>
          <CopyLine
            text={status.digest}
            label={trans.__('Digest')}
            trans={trans}
          />
        </>
      )}
      <Field
        label={trans.__('Version (empty: the next number)')}
        name="version"
        placeholder={nextVersion(status.base_version)}
        pattern="[A-Za-z0-9_][A-Za-z0-9._\-]{0,127}"
        title={trans.__('Letters, digits and . _ -, at most 128.')}
      />
      <p className="jp-packager-field-hint">
        {trans.__('Ctrl/Cmd + Enter publishes.')}
      </p>
    </>
  );
}

function attachedText(
  attachments: readonly IAttachment[],
  trans: TranslationBundle
): string {
  const names = attachments.map(({ path }) => path);
  if (names.length === 0) {
    return trans.__('Nothing. A README would say what this is.');
  }
  const shown = names.slice(0, 3).join(', ');
  const more = names.length - 3;
  return more > 0 ? trans.__('%1 and %2 more', shown, more) : shown;
}

function changesText(status: IDraftStatus, trans: TranslationBundle): string {
  const { base_version: base, added, removed, changed } = status;
  if (!base) {
    return trans.__('The first version.');
  }
  if (!status.is_changed) {
    return trans.__(
      'None since %1: publishing gives the same digest.',
      versionName(base)
    );
  }
  if (added === null || removed === null || changed === null) {
    return trans.__('Changed since %1.', versionName(base));
  }
  return trans.__(
    '%1 added, %2 removed, %3 changed since %4',
    formatCount(added),
    formatCount(removed),
    formatCount(changed),
    versionName(base)
  );
}

function checksumsText(status: IDraftStatus, trans: TranslationBundle): string {
  const { files, unhashed_files: unhashed } = status;
  if (unhashed === 0) {
    return trans.__('Every file has one.');
  }
  return trans.__(
    '%1 of %2 have none: their sizes and tags are frozen instead.',
    formatCount(unhashed),
    countFiles(files, trans)
  );
}

function nextVersion(base: string | null): string | undefined {
  return base === null
    ? '1'
    : /^\d+$/.test(base)
      ? String(Number(base) + 1)
      : undefined;
}
