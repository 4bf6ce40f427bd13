import {
  Clipboard,
  Dialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import {
  copyIcon,
  deleteIcon,
  refreshIcon,
  shareIcon
} from '@jupyterlab/ui-components';

import type { IShare } from '../api/types';
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
        const { openShareDialog, showShareResult } =
          await import('../dialogs/share');
        const created = await openShareDialog({
          trans,
          packages: published,
          name: first.name,
          version,
          versions: name => client.versions(name),
          submit: share => shares.create(share)
        });
        if (created) {
          const { share } = created;
          const file = await exampleFile(client, share.package, share.version);
          await showShareResult(created, file, trans);
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
