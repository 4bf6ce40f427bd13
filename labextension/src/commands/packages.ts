import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import {
  addIcon,
  copyIcon,
  deleteIcon,
  editIcon,
  refreshIcon
} from '@jupyterlab/ui-components';

import { PackagerError } from '../api/errors';
import type { IPackageDetail } from '../api/types';
import { formatCount } from '../format';
import { draftIcon, publishedIcon } from '../icons';
import type { IAttachmentItem } from '../model/packages';
import type { ICommandContext } from './context';
import { textArg, textArgs } from './context';
import { CommandIDs } from './ids';

/** Commands of the Packages section. */
export function addPackageCommands(
  context: ICommandContext,
  documents: IDocumentManager | null
): void {
  addDraftCommands(context);
  addContentCommands(context);
  addPublishCommands(context, documents);
}

function addDraftCommands(context: ICommandContext): void {
  const { app, model, trans } = context;
  const { packages } = model;
  const { commands } = app;

  commands.addCommand(CommandIDs.newPackage, {
    label: trans.__('New Package…'),
    caption: trans.__('Make an empty package'),
    icon: addIcon,
    describedBy: textArgs({}),
    // Resolves with the name, for commands that go on with it.
    execute: async () => {
      const { openPackageDialog } = await import('../dialogs/names');
      return openPackageDialog({
        trans,
        submit: (name, title) => packages.create(name, title)
      });
    }
  });

  commands.addCommand(CommandIDs.refreshPackages, {
    label: trans.__('Read Again'),
    caption: trans.__('Read the packages and what is open in them again'),
    icon: refreshIcon,
    describedBy: textArgs({}),
    execute: () => packages.refresh()
  });

  commands.addCommand(CommandIDs.deleteDraft, {
    label: trans.__('Delete Draft…'),
    caption: trans.__('Delete a draft; published versions stay'),
    icon: deleteIcon,
    describedBy: textArgs({ name: 'Name of the package' }),
    execute: async args => {
      const name = textArg(args, 'name') ?? packages.current?.name;
      const info = packages.drafts.find(draft => draft.name === name);
      if (!info) {
        return;
      }
      const { button } = await showDialog({
        title: trans.__('Delete the draft of %1?', info.name),
        body:
          info.versions > 0
            ? trans._n(
                'Its list of files and its folder with README and notebooks go away. The published version stays, and so do the files it points to.',
                'Its list of files and its folder with README and notebooks go away. The %1 published versions stay, and so do the files they point to.',
                info.versions
              )
            : trans.__(
                'Its list of files and its folder with README and notebooks go away. Nothing of it was published. The files it points to stay where they are.'
              ),
        defaultButton: 0,
        buttons: [
          Dialog.cancelButton({ label: trans.__('Cancel') }),
          Dialog.warnButton({ label: trans.__('Delete') })
        ]
      });
      if (button.accept) {
        await packages.attempt(() => packages.deleteDraft(info.name));
      }
    }
  });
}

function addContentCommands(context: ICommandContext): void {
  const { app, model, trans } = context;
  const { packages } = model;
  const { commands } = app;

  commands.addCommand(CommandIDs.removeFiles, {
    label: () => {
      const { files, folders } = packages.tree.selection.summary;
      const count = files + folders;
      return count > 1
        ? trans.__('Remove %1 from Package', formatCount(count))
        : trans.__('Remove from Package');
    },
    caption: trans.__('Take files out of the draft; they stay where they are'),
    icon: deleteIcon,
    describedBy: textArgs({}),
    execute: async () => {
      const { tree } = packages;
      const item = tree.activeItem;
      if (item?.kind === 'attachment' && tree.selection.isEmpty) {
        await removeAttachment(context, item);
        return;
      }
      if (tree.selection.isEmpty) {
        tree.toggleSelected(tree.activeIndex);
      }
      for (const [name, paths] of tree.selection.byGroup()) {
        await packages.attempt(() => packages.removeFiles(name, paths));
      }
    }
  });

  commands.addCommand(CommandIDs.rename, {
    label: trans.__('Rename…'),
    caption: trans.__('Give a file or folder of the draft another path'),
    icon: editIcon,
    describedBy: textArgs({}),
    execute: async () => {
      const item = packages.tree.activeItem;
      if (item?.kind !== 'file' || item.version !== null) {
        return;
      }
      const { openNameDialog } = await import('../dialogs/names');
      await openNameDialog({
        title: trans.__('Rename in %1', item.package),
        label: trans.__('Path in the package'),
        value: item.file.path,
        accept: trans.__('Rename'),
        trans,
        submit: to => packages.move(item.package, item.file.path, to)
      });
    }
  });
}

/** An attachment's bytes are nowhere else, so this asks first. */
async function removeAttachment(
  { model, trans }: ICommandContext,
  item: IAttachmentItem
): Promise<void> {
  const { button } = await showDialog({
    title: trans.__('Delete %1 of %2?', item.name, item.package),
    body: trans.__(
      'Its bytes are in the draft and nowhere else. Published versions keep theirs.'
    ),
    defaultButton: 0,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Delete') })
    ]
  });
  if (button.accept) {
    const { packages } = model;
    await packages.attempt(() => packages.detach(item.package, item.name));
  }
}

function addPublishCommands(
  context: ICommandContext,
  documents: IDocumentManager | null
): void {
  const { app, model, client, trans } = context;
  const { packages } = model;
  const { commands } = app;

  commands.addCommand(CommandIDs.publish, {
    label: trans.__('Publish…'),
    caption: trans.__('Freeze the draft into a version'),
    icon: publishedIcon,
    describedBy: textArgs({ name: 'Name of the package' }),
    isEnabled: args =>
      textArg(args, 'name') !== null || Boolean(packages.current?.draft),
    execute: async args => {
      const name = textArg(args, 'name') ?? packages.current?.name;
      if (!name) {
        return;
      }
      await packages.attempt(async () => {
        const detail = await client.package(name);
        await saveOpen(documents, detail);
        const status = await client.draftStatus(name);
        if (status.files + status.attachments === 0) {
          throw nothingToPublish(context, name);
        }
        const { openPublishDialog } = await import('../dialogs/publish');
        await openPublishDialog({
          trans,
          name,
          status,
          attachments: detail.attachments,
          submit: version => model.publish(name, version)
        });
      });
    }
  });

  commands.addCommand(CommandIDs.copyDigest, {
    label: trans.__('Copy Digest'),
    caption: trans.__('Copy the digest of this version'),
    icon: copyIcon,
    describedBy: textArgs({}),
    execute: () => {
      const item = packages.tree.activeItem;
      if (item?.kind === 'version') {
        Clipboard.copyToSystem(item.version.digest);
      } else if (item?.kind === 'package' && item.info.latest) {
        Clipboard.copyToSystem(item.info.latest.digest);
      }
    }
  });

  commands.addCommand(CommandIDs.openMetadata, {
    label: trans.__('Edit Title, License, Authors…'),
    caption: trans.__('Open package.yaml of the draft in an editor'),
    icon: draftIcon,
    describedBy: textArgs({ name: 'Name of the package' }),
    execute: args =>
      commands.execute(CommandIDs.openAttachment, {
        name: textArg(args, 'name') ?? packages.current?.name ?? '',
        path: 'package.yaml'
      })
  });
}

/** What is frozen is what is on disk: save what is still only in an editor. */
async function saveOpen(
  documents: IDocumentManager | null,
  { folder, attachments }: IPackageDetail
): Promise<void> {
  const paths = ['package.yaml', ...attachments.map(({ path }) => path)];
  for (const path of folder === null ? [] : paths) {
    const widget = documents?.findWidget(`${folder}/${path}`, null);
    if (widget?.context.model.dirty) {
      await widget.context.save();
    }
  }
}

function nothingToPublish(
  { trans }: ICommandContext,
  name: string
): PackagerError {
  return new PackagerError({
    code: 'nothing_to_publish',
    message: trans.__('%1 holds nothing yet.', name),
    remedy: trans.__('Tick files in a source and add them, then publish.')
  });
}
