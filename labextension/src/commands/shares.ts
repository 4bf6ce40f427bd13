import {
  Clipboard,
  Dialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import {
  copyIcon,
  deleteIcon,
  editIcon,
  linkIcon,
  refreshIcon,
  shareIcon
} from '@jupyterlab/ui-components';

import type { ICreatedShare, IShare } from '../api/types';
import { exactDate, formatCount, versionName } from '../format';
import { exampleFile } from '../recipes';
import type { ICommandContext } from './context';
import { textArg, textArgs } from './context';
import { CommandIDs } from './ids';

/** Commands of the Shares section. */
export function addShareCommands(context: ICommandContext): void {
  const { app, model, client, trans } = context;
  const { shares, packages } = model;
  const { commands } = app;
  const shareOf = (id: string | null): IShare | null => {
    const item = id
      ? shares.tree.root.items.find(known => known.id === id)
      : shares.tree.activeItem;
    return item?.share ?? null;
  };

  commands.addCommand(CommandIDs.share, {
    label: trans.__('Share…'),
    caption: trans.__('Let others read a published package by a link'),
    icon: shareIcon,
    describedBy: textArgs({
      name: 'Name of the package',
      version: 'Version to share; without it, the newest'
    }),
    execute: async args => {
      const published = packages.packages.filter(info => info.versions > 0);
      const item = packages.tree.activeItem;
      const version =
        textArg(args, 'version') ??
        (item?.kind === 'version' && !textArg(args, 'name')
          ? item.version.version
          : null);
      const wanted = textArg(args, 'name') ?? packages.current?.name;
      const first =
        published.find(info => info.name === wanted) ?? published[0];
      if (!first) {
        await showDialog({
          title: trans.__('Nothing is published yet'),
          body: trans.__(
            'A share leads to a published version. Publish a package, then share it.'
          ),
          buttons: [Dialog.okButton({ label: trans.__('Close') })]
        });
        return;
      }
      await shares.attempt(async () => {
        const { openShareDialog } = await import('../dialogs/share');
        const created = await openShareDialog({
          trans,
          packages: published,
          name: first.name,
          version,
          versions: name => client.versions(name),
          audiences: (await client.status()).audiences,
          submit: share => shares.create(share)
        });
        if (created) {
          await showCreated(context, created);
        }
      });
    }
  });

  commands.addCommand(CommandIDs.copyShareLink, {
    label: trans.__('Copy Link'),
    caption: trans.__('Copy the link of this share'),
    icon: copyIcon,
    describedBy: textArgs({
      id: 'Id of the share; without it, the active row'
    }),
    execute: async args => {
      const share = shareOf(textArg(args, 'id'));
      if (share) {
        await shares.attempt(async () => {
          Clipboard.copyToSystem(await shares.link(share.id));
          Notification.success(
            trans.__('The link of %1 is in the clipboard.', share.package),
            { autoClose: 3000 }
          );
        });
      }
    }
  });

  commands.addCommand(CommandIDs.editShare, {
    label: trans.__('Change…'),
    caption: trans.__('Change on what terms this is shared; the link stays'),
    icon: editIcon,
    describedBy: textArgs({
      id: 'Id of the share; without it, the active row'
    }),
    execute: async args => {
      const share = shareOf(textArg(args, 'id'));
      if (share) {
        await shares.attempt(() => editShare(context, share));
      }
    }
  });

  commands.addCommand(CommandIDs.rotateShare, {
    label: trans.__('New Link…'),
    caption: trans.__('Give this share another link and end the old one'),
    icon: linkIcon,
    describedBy: textArgs({
      id: 'Id of the share; without it, the active row'
    }),
    execute: async args => {
      const share = shareOf(textArg(args, 'id'));
      if (share && (await confirmRotate(context, share))) {
        await shares.attempt(async () =>
          showCreated(context, await shares.rotate(share.id))
        );
      }
    }
  });

  commands.addCommand(CommandIDs.revokeShare, {
    label: trans.__('Revoke…'),
    caption: trans.__('End this share for everyone'),
    icon: deleteIcon,
    describedBy: textArgs({
      id: 'Id of the share; without it, the active row'
    }),
    execute: async args => {
      const id = shareOf(textArg(args, 'id'))?.id ?? null;
      // How often it was used by now is what the question is about.
      await shares.refresh();
      const share = id === null ? null : shareOf(id);
      if (share && (await confirmRevoke(context, share))) {
        await shares.attempt(() => shares.revoke(share.id));
      }
    }
  });

  commands.addCommand(CommandIDs.refreshShares, {
    label: trans.__('Read Again'),
    caption: trans.__('Read the shares again'),
    icon: refreshIcon,
    describedBy: textArgs({}),
    execute: () => shares.refresh()
  });
}

async function showCreated(
  { client, trans }: ICommandContext,
  created: ICreatedShare
): Promise<void> {
  const { showShareResult } = await import('../dialogs/share');
  const { share } = created;
  // Of a part one does not know which file to name.
  const file = share.paths.length
    ? null
    : await exampleFile(client, share.package, share.version);
  await showShareResult(created, file, trans);
}

async function editShare(
  context: ICommandContext,
  share: IShare
): Promise<void> {
  const { client, model, trans } = context;
  const { openShareEditDialog } = await import('../dialogs/share');
  const changed = await openShareEditDialog({
    trans,
    share,
    versions: await client.versions(share.package),
    audiences: (await client.status()).audiences,
    submit: change => model.shares.change(share.id, change)
  });
  // A new password comes with a link that is known at this moment only.
  if (changed?.capability_url) {
    await showCreated(context, changed);
  }
}

async function confirmRotate(
  { trans }: ICommandContext,
  share: IShare
): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Give the share of %1 a new link?', share.package),
    body: trans.__(
      'The old link stops working for everyone at once, and so does the link that needs no password. All else stays.'
    ),
    defaultButton: 0,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('New Link') })
    ]
  });
  return button.accept;
}

async function confirmRevoke(
  { trans }: ICommandContext,
  share: IShare
): Promise<boolean> {
  const version =
    share.version === 'latest'
      ? trans.__('latest')
      : versionName(share.version);
  const used = share.last_used_s
    ? trans._n(
        'It was used %2 time, last %3.',
        'It was used %2 times, last %3.',
        share.uses,
        formatCount(share.uses),
        exactDate(share.last_used_s)
      )
    : trans.__('Nobody has used it yet.');
  const { button } = await showDialog({
    title: trans.__('Revoke the link to %1 %2?', share.package, version),
    body: trans.__(
      '%1 It stops working for everyone at once and cannot be brought back. Links to single files that were handed out already run out within the hour.',
      used
    ),
    defaultButton: 0,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Revoke') })
    ]
  });
  return button.accept;
}
