import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import {
  addIcon,
  copyIcon,
  deleteIcon,
  downloadIcon,
  editIcon,
  refreshIcon
} from '@jupyterlab/ui-components';

import { draftIcon } from '../icons';
import { addressOf } from '../model/sources';
import type { ICommandContext } from './context';
import { download, textArg, textArgs } from './context';
import { CommandIDs } from './ids';

/** Commands of the Sources section. */
export function addSourceCommands(context: ICommandContext): void {
  addChangeCommands(context);
  addBrowseCommands(context);
  addCuratingCommands(context);
}

function addChangeCommands(context: ICommandContext): void {
  const { app, model, client, trans } = context;
  const { sources } = model;
  const { commands } = app;
  const nameOf = (name: string | null): string | null =>
    name ?? sources.tree.activeItem?.source.name ?? null;

  commands.addCommand(CommandIDs.addSource, {
    label: trans.__('Add a Source…'),
    caption: trans.__('Connect a bucket, a container or a folder'),
    icon: addIcon,
    describedBy: textArgs({ url: 'Address to begin with' }),
    execute: async args => {
      const { openSourceDialog } = await import('../dialogs/source');
      await openSourceDialog({
        trans,
        source: null,
        url: textArg(args, 'url') ?? undefined,
        submit: source => sources.add(source)
      });
    }
  });

  commands.addCommand(CommandIDs.editSource, {
    label: trans.__('Change Source…'),
    caption: trans.__('Change the address or the credential of a source'),
    icon: editIcon,
    describedBy: textArgs({ name: 'Name of the source' }),
    execute: async args => {
      const name = nameOf(textArg(args, 'name'));
      const source = sources.sources.find(known => known.name === name);
      if (source) {
        const { openSourceDialog } = await import('../dialogs/source');
        await openSourceDialog({
          trans,
          source,
          submit: changed => sources.update(changed)
        });
      }
    }
  });

  commands.addCommand(CommandIDs.testSource, {
    label: trans.__('Test Source'),
    caption: trans.__('Try whether a source can be reached, listed and read'),
    describedBy: textArgs({ name: 'Name of the source' }),
    execute: async args => {
      const name = nameOf(textArg(args, 'name'));
      if (name) {
        await sources.attempt(async () => {
          const report = await client.testSource(name);
          const { showReport } = await import('../dialogs/report');
          await showReport(report, trans);
        });
      }
    }
  });

  commands.addCommand(CommandIDs.removeSource, {
    label: trans.__('Remove Source…'),
    caption: trans.__('Disconnect a source; its data stays where it is'),
    icon: deleteIcon,
    describedBy: textArgs({ name: 'Name of the source' }),
    execute: async args => {
      const name = nameOf(textArg(args, 'name'));
      if (!name) {
        return;
      }
      const { button } = await showDialog({
        title: trans.__('Remove source %1?', name),
        body: trans.__(
          'Its data stays where it is. Packages that point into it cannot be fetched until a source of that name is connected again. A stored key is forgotten.'
        ),
        defaultButton: 0,
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.warnButton({ label: trans.__('Remove') })
        ]
      });
      if (button.accept) {
        await sources.attempt(() => sources.remove(name));
      }
    }
  });
}

function addBrowseCommands(context: ICommandContext): void {
  const { app, model, client, trans } = context;
  const { sources } = model;
  const { commands } = app;

  commands.addCommand(CommandIDs.refreshSources, {
    label: trans.__('Read Again'),
    caption: trans.__('Read the sources and what is open in them again'),
    icon: refreshIcon,
    describedBy: textArgs({}),
    execute: () => sources.refresh()
  });

  commands.addCommand(CommandIDs.forgetJump, {
    label: trans.__('Close'),
    caption: trans.__('Take this place out of the tree'),
    describedBy: textArgs({}),
    execute: async () => {
      const item = sources.tree.activeItem;
      if (item?.kind === 'jump') {
        await sources.forgetJump(item);
      }
    }
  });

  commands.addCommand(CommandIDs.copyAddress, {
    label: trans.__('Copy Address'),
    caption: trans.__('Copy the address of this file, folder or source'),
    icon: copyIcon,
    describedBy: textArgs({}),
    execute: () => {
      const item = sources.tree.activeItem;
      if (item) {
        Clipboard.copyToSystem(addressOf(item));
      }
    }
  });

  commands.addCommand(CommandIDs.openFile, {
    label: trans.__('Download'),
    caption: trans.__('Fetch this file straight from its storage'),
    icon: downloadIcon,
    describedBy: textArgs({
      source: 'Name of the source; without it, the file of the active row',
      key: 'Key of the file in the source'
    }),
    execute: async args => {
      const source = textArg(args, 'source');
      const key = textArg(args, 'key');
      const item = sources.tree.activeItem;
      await sources.attempt(async () => {
        if (source && key) {
          download((await client.presign(source, key)).url);
        } else if (item?.kind === 'entry' && !item.entry.is_folder) {
          const { entry } = item;
          const { url } = await client.presign(
            item.source.name,
            entry.key,
            entry.version_id
          );
          download(url);
        }
      });
    }
  });
}

function addCuratingCommands({ app, model, trans }: ICommandContext): void {
  const { sources, packages } = model;
  const { commands } = app;
  const { tree } = sources;
  const addTo = async (name: string | null): Promise<void> => {
    // Without a tick, the active row is meant.
    if (tree.selection.isEmpty) {
      tree.toggleSelected(tree.activeIndex);
    }
    if (name && !tree.selection.isEmpty) {
      await model.addSelectionTo(name);
    }
  };
  const current = (): string | null =>
    packages.current?.draft ? packages.current.name : null;

  commands.addCommand(CommandIDs.addToPackage, {
    label: args => textArg(args, 'name') ?? trans.__('Add to New Package…'),
    caption: trans.__('Add what is ticked in the sources to a package'),
    icon: args => (textArg(args, 'name') ? draftIcon : addIcon),
    describedBy: textArgs({
      name: 'Name of the draft; without it, a new one is made'
    }),
    execute: async args => {
      const name = textArg(args, 'name');
      if (name) {
        await addTo(name);
        return;
      }
      const created: unknown = await commands.execute(CommandIDs.newPackage);
      await addTo(typeof created === 'string' ? created : null);
    }
  });

  commands.addCommand(CommandIDs.addToCurrent, {
    label: () => trans.__('Add to %1', current() ?? ''),
    caption: trans.__('Add what is ticked to the package being worked on'),
    icon: draftIcon,
    isVisible: () => current() !== null,
    describedBy: textArgs({}),
    execute: () => addTo(current())
  });
}
