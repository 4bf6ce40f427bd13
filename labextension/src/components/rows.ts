/** What the rows of sources, packages and shares show. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import {
  copyIcon,
  deleteIcon,
  closeIcon,
  editIcon,
  fileIcon,
  folderIcon,
  markdownIcon,
  notebookIcon
} from '@jupyterlab/ui-components';

import {
  countFiles,
  exactDate,
  exactSize,
  formatCount,
  formatDate,
  formatLeft,
  formatSize,
  shortDigest,
  versionName,
  visibleName
} from '../format';
import {
  bucketIcon,
  cloudIcon,
  draftIcon,
  jumpIcon,
  linkIcon,
  lockIcon,
  publishedIcon,
  versionIcon
} from '../icons';
import type { IShare } from '../api/types';
import type {
  IFileItem,
  IPackageItem,
  IVersionItem,
  PackageItem
} from '../model/packages';
import type { IShareItem } from '../model/shares';
import type { IEntryItem, SourceItem, SourceState } from '../model/sources';
import { addressOf } from '../model/sources';
import type { Level } from '../tree/level';
import type { IRowValue, IRowView } from './treeview';

/** Keeps the columns of rows without a date in line with those that have one. */
const NO_DATE: IRowValue = { text: '', title: '', isSecondary: true };

/** What rows need to know beside their item. */
export interface IRowContext {
  readonly trans: TranslationBundle;
  readonly locale: string;
  readonly nowS: number;
}

const SOURCE_ICONS: Readonly<Record<string, LabIcon>> = {
  s3: bucketIcon,
  azure: cloudIcon,
  local: folderIcon
};

const ATTACHMENT_ICONS: Readonly<Record<string, LabIcon>> = {
  md: markdownIcon,
  ipynb: notebookIcon
};

/** A row of the Sources tree. */
export function sourceRow(
  item: SourceItem,
  children: Level<SourceItem> | null,
  state: SourceState,
  forget: () => void,
  context: IRowContext
): IRowView {
  const { trans } = context;
  if (item.kind === 'entry') {
    return entryRow(item, children, context);
  }
  if (item.kind === 'jump') {
    return {
      kind: 'jump addressed',
      icon: jumpIcon,
      name: visibleName(item.prefix),
      title: trans.__('What begins with %1', addressOf(item)),
      values: childCount(children, context),
      actions: [{ icon: closeIcon, label: trans.__('Close'), run: forget }]
    };
  }
  const { source } = item;
  return {
    kind: source.is_managed ? 'source addressed' : 'source addressed own',
    icon: SOURCE_ICONS[source.kind] ?? bucketIcon,
    name: source.name,
    hint: source.url,
    title: `${source.name}\n${source.url}`,
    mark: stateMark(state, trans),
    values: childCount(children, context)
  };
}

function stateMark(
  state: SourceState,
  trans: TranslationBundle
): IRowView['mark'] {
  const titles: Record<SourceState, string> = {
    ok: trans.__('It answered.'),
    failed: trans.__('Its last answer was an error.'),
    unknown: trans.__('Not asked yet.')
  };
  return { kind: state, title: titles[state] };
}

function entryRow(
  item: IEntryItem,
  children: Level<SourceItem> | null,
  context: IRowContext
): IRowView {
  const { entry } = item;
  const { trans } = context;
  const name = visibleName(entry.name.replace(/\/$/, ''));
  if (entry.is_folder) {
    return {
      kind: 'entry addressed folder',
      icon: folderIcon,
      name: `${name === '/' ? '' : name}/`,
      title: addressOf(item),
      values: childCount(children, context)
    };
  }
  const isArchived = entry.is_archived ?? false;
  return {
    kind: 'entry addressed file',
    icon: fileIcon,
    name,
    title: addressOf(item),
    hint: isArchived
      ? trans.__('archived: %1', entry.storage_class ?? '')
      : undefined,
    isDim: isArchived,
    values: sizeAndDate(entry.size_bytes, entry.modified_s, context)
  };
}

/** How much has been read below a row: exact when complete, else at least so much. */
function childCount(
  children: Level<SourceItem> | null,
  { trans }: IRowContext
): IRowValue[] {
  const count = children?.items.length ?? 0;
  if (!children || count === 0) {
    return [];
  }
  const shown = formatCount(count);
  return [
    children.status === 'complete'
      ? { text: shown, title: trans._n('%1 entry', '%2 entries', count, shown) }
      : {
          text: trans.__('%1+', shown),
          title: trans.__('%1 read so far; there are more.', shown)
        },
    NO_DATE
  ];
}

function sizeAndDate(
  sizeBytes: number | null,
  modifiedS: number | null,
  { trans, locale, nowS }: IRowContext
): IRowValue[] {
  const values: IRowValue[] = [];
  if (sizeBytes !== null) {
    values.push({
      text: formatSize(sizeBytes),
      title: exactSize(sizeBytes, trans)
    });
  }
  if (modifiedS !== null) {
    values.push({
      text: formatDate(modifiedS, nowS, locale),
      title: exactDate(modifiedS),
      isSecondary: true
    });
  }
  return values;
}

/** A row of the Packages tree. */
export function packageRow(
  item: PackageItem,
  current: string | null,
  context: IRowContext
): IRowView {
  const { trans } = context;
  switch (item.kind) {
    case 'package':
      return {
        ...topRow(item, context),
        isCurrent: item.name === current
      };
    case 'versions':
      return {
        kind: 'versions',
        icon: versionIcon,
        name: item.name,
        title: trans.__('What was published of %1', item.package),
        values: [
          { text: formatCount(item.count), title: formatCount(item.count) }
        ]
      };
    case 'version':
      return versionRow(item, context);
    case 'attachment':
      return {
        kind: 'attachment removable',
        icon: ATTACHMENT_ICONS[item.name.split('.').pop() ?? ''] ?? fileIcon,
        name: visibleName(item.name),
        hint: trans.__('attached'),
        title: trans.__('%1: its bytes are in the package.', item.name),
        values: sizeAndDate(item.attachment.size_bytes, null, context)
      };
    case 'file':
      return fileRow(item, context);
  }
}

function topRow(item: IPackageItem, context: IRowContext): IRowView {
  const { trans } = context;
  const { draft, latest, title, name } = item.info;
  const shown = draft ?? latest;
  const base = draft?.base_version ?? null;
  let hint = latest ? versionName(latest.version) : '';
  if (draft && (draft.is_changed || !base)) {
    hint = trans.__('draft');
  }
  return {
    kind: `package${draft ? ' draft' : ''}${latest ? ' published' : ''}`,
    icon: draft ? draftIcon : publishedIcon,
    name,
    hint,
    title: title ? `${name}\n${title}` : name,
    mark:
      draft?.is_changed && base
        ? {
            kind: 'changed',
            title: trans.__('Changed since %1', versionName(base))
          }
        : undefined,
    values: shown ? totals(shown.files, shown.bytes, context) : []
  };
}

function versionRow(item: IVersionItem, context: IRowContext): IRowView {
  const { version } = item;
  const { nowS, locale } = context;
  const digest = shortDigest(version.digest);
  return {
    kind: 'version published',
    icon: publishedIcon,
    name: versionName(version.version),
    hint: version.created_s
      ? `${formatDate(version.created_s, nowS, locale)} · ${digest}`
      : digest,
    title: version.created_s
      ? `${version.digest}\n${exactDate(version.created_s)}`
      : version.digest,
    values: totals(version.files, version.bytes, context)
  };
}

function fileRow(item: IFileItem, context: IRowContext): IRowView {
  const { file } = item;
  const kind = item.version === null ? 'content movable removable' : 'content';
  const name = visibleName(file.name.replace(/\/$/, ''));
  if (file.is_folder) {
    return {
      kind: `${kind} folder`,
      icon: folderIcon,
      name: `${name}/`,
      title: file.path,
      values: totals(file.files ?? null, file.size_bytes, context)
    };
  }
  const modified = file.modified_s ? `\n${exactDate(file.modified_s)}` : '';
  const origin = file.source ? `\n${file.source}:${file.key ?? ''}` : '';
  return {
    kind: `${kind} file`,
    icon: fileIcon,
    name,
    title: `${file.path}${origin}${modified}`,
    values: sizeAndDate(file.size_bytes, null, context)
  };
}

function totals(
  files: number | null,
  bytes: number | null,
  { trans }: IRowContext
): IRowValue[] {
  const values: IRowValue[] = [];
  if (files !== null) {
    values.push({
      text: formatCount(files),
      title: countFiles(files, trans),
      isSecondary: true
    });
  }
  if (bytes !== null) {
    values.push({ text: formatSize(bytes), title: exactSize(bytes, trans) });
  }
  return values;
}

/** A row of the Shares list. */
export function shareRow(
  item: IShareItem,
  actions: { copy: () => void; edit: () => void; revoke: () => void },
  context: IRowContext
): IRowView {
  const { trans, nowS } = context;
  const { share } = item;
  const isActive = share.state === 'active' || share.state === 'not started';
  const states: Record<string, string> = {
    'not started': trans.__('not started'),
    expired: trans.__('expired'),
    revoked: trans.__('revoked'),
    'used up': trans.__('used up')
  };
  const values: IRowValue[] = [
    {
      text: trans._n('%1 use', '%2 uses', share.uses, formatCount(share.uses)),
      title: share.last_used_s
        ? trans.__('Last used %1', exactDate(share.last_used_s))
        : trans.__('Not used yet')
    }
  ];
  if (isActive) {
    values.push(expiry(share.expires_s, nowS, trans));
  }
  return {
    kind: isActive ? 'share' : 'ended',
    icon: share.has_password ? lockIcon : linkIcon,
    name: share.package,
    hint:
      share.state === 'active'
        ? share.version === 'latest'
          ? trans.__('latest')
          : versionName(share.version)
        : (states[share.state] ?? share.state),
    title: shareTitle(share, trans),
    isDim: !isActive,
    values,
    actions: isActive
      ? [
          { icon: copyIcon, label: trans.__('Copy link'), run: actions.copy },
          { icon: editIcon, label: trans.__('Change…'), run: actions.edit },
          { icon: deleteIcon, label: trans.__('Revoke…'), run: actions.revoke }
        ]
      : undefined
  };
}

/** What a share's row says when one rests on it. */
function shareTitle(share: IShare, trans: TranslationBundle): string {
  const { audience, paths, max_downloads: most } = share;
  const lines = [
    share.package,
    share.description,
    paths.length ? trans.__('Only %1', paths.join(', ')) : '',
    audience.includes('anyone') ? '' : trans.__('For %1', audience.join(', ')),
    most === null
      ? ''
      : trans._n(
          'At most %1 download',
          'At most %1 downloads',
          most,
          formatCount(most)
        ),
    share.starts_s === null
      ? ''
      : trans.__('From %1', exactDate(share.starts_s))
  ];
  return lines.filter(Boolean).join('\n');
}

function expiry(
  expiresS: number | null,
  nowS: number,
  trans: TranslationBundle
): IRowValue {
  return expiresS === null
    ? { text: '∞', title: trans.__('Does not expire'), isSecondary: true }
    : {
        text: formatLeft(expiresS - nowS, trans),
        title: trans.__('Expires %1', exactDate(expiresS)),
        isSecondary: true
      };
}
