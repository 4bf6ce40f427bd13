import {
  Clipboard,
  Dialog,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import { copyIcon, deleteIcon, refreshIcon } from '@jupyterlab/ui-components';

import type { IApiToken } from '../api/types';
import { exactDate } from '../format';
import { keyIcon } from '../icons';
import type { RegistryItem } from '../model/registries';
import type { ICommandContext } from './context';
import { textArg, textArgs } from './context';
import { CommandIDs } from './ids';

/** Commands of the Registries section. */
export function addRegistryCommands(context: ICommandContext): void {
  const { app, model, trans } = context;
  const { registries } = model;
  const { commands } = app;
  const itemOf = (id: string | null): RegistryItem | null =>
    id
      ? (registries.tree.root.items.find(known => known.id === id) ?? null)
      : registries.tree.activeItem;

  commands.addCommand(CommandIDs.copyInstallLine, {
    label: trans.__('Copy Install Line'),
    caption: trans.__('Copy the line with which a client installs from a feed'),
    icon: copyIcon,
    describedBy: textArgs({ id: 'Id of the row; without it, the active row' }),
    execute: args => {
      const item = itemOf(textArg(args, 'id'));
      if (item?.kind === 'feed') {
        Clipboard.copyToSystem(item.feed.install);
        Notification.success(
          trans.__('The line for %1 is in the clipboard.', item.name),
          { autoClose: 3000 }
        );
      }
    }
  });

  commands.addCommand(CommandIDs.newToken, {
    label: trans.__('New Token…'),
    caption: trans.__('Make a token with which a program reads or publishes'),
    icon: keyIcon,
    describedBy: textArgs({
      feed: 'Feed to begin with; without it, the active row'
    }),
    execute: async args => {
      const active = registries.tree.activeItem;
      await registries.attempt(async () => {
        const { openTokenDialog, showToken } = await import('../dialogs/token');
        const created = await openTokenDialog({
          trans,
          feeds: registries.feeds,
          feed:
            textArg(args, 'feed') ??
            (active?.kind === 'feed' ? active.name : null),
          submit: token => registries.create(token)
        });
        if (created) {
          await showToken(created, trans);
        }
      });
    }
  });

  commands.addCommand(CommandIDs.revokeToken, {
    label: trans.__('Revoke…'),
    caption: trans.__('End this token at once'),
    icon: deleteIcon,
    describedBy: textArgs({ id: 'Id of the row; without it, the active row' }),
    execute: async args => {
      const id = itemOf(textArg(args, 'id'))?.id ?? null;
      // When it was used last is what the question is about.
      await registries.refresh();
      const item = id === null ? null : itemOf(id);
      if (item?.kind === 'token' && (await confirm(context, item.token))) {
        await registries.attempt(() => registries.revoke(item.token.id));
      }
    }
  });

  commands.addCommand(CommandIDs.refreshRegistries, {
    label: trans.__('Read Again'),
    caption: trans.__('Read the feeds and tokens again'),
    icon: refreshIcon,
    describedBy: textArgs({}),
    execute: () => registries.refresh()
  });
}

async function confirm(
  { trans }: ICommandContext,
  token: IApiToken
): Promise<boolean> {
  const used = token.last_used_s
    ? trans.__('It was last used %1.', exactDate(token.last_used_s))
    : trans.__('Nobody has used it yet.');
  const { button } = await showDialog({
    title: trans.__(
      'Revoke the token %1?',
      token.description || token.scopes.join(', ')
    ),
    body: trans.__(
      '%1 Programs that carry it are refused at once, and it cannot be brought back.',
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
