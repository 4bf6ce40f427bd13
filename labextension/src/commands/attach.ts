/** Small files of a draft: README, notebooks, anything; edited with JupyterLab's own editors. */

import type { Contents } from '@jupyterlab/services';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { ITranslator } from '@jupyterlab/translation';
import {
  fileUploadIcon,
  markdownIcon,
  notebookIcon
} from '@jupyterlab/ui-components';

import { PackagerError } from '../api/errors';
import type { ICommandContext } from './context';
import { textArg, textArgs } from './context';
import { CommandIDs } from './ids';

const README = 'README.md';

/** Commands that put small files into a draft and open them. */
export function addAttachCommands(
  context: ICommandContext,
  documents: IDocumentManager | null,
  translator: ITranslator
): void {
  const { app, model, client, trans } = context;
  const { packages } = model;
  const { commands } = app;
  const named = textArgs({ name: 'Name of the package' });
  const draftOf = (name: string | null): string | null =>
    name ?? (packages.current?.draft ? packages.current.name : null);

  commands.addCommand(CommandIDs.openReadme, {
    label: trans.__('README'),
    caption: trans.__('Write what the package is, in README.md'),
    icon: markdownIcon,
    describedBy: named,
    execute: async args => {
      const name = draftOf(textArg(args, 'name'));
      if (!name) {
        return;
      }
      await packages.attempt(async () => {
        const { attachments, title } = await client.package(name);
        if (!attachments.some(({ path }) => path === README)) {
          const text = `# ${title || name}\n\n`;
          await packages.attach(name, README, new Blob([text]));
        }
        await openInDraft(context, name, README);
      });
    }
  });

  commands.addCommand(CommandIDs.attachNotebook, {
    label: trans.__('New Notebook…'),
    caption: trans.__('Make a notebook in the package'),
    icon: notebookIcon,
    describedBy: named,
    execute: async args => {
      const name = draftOf(textArg(args, 'name'));
      if (!name) {
        return;
      }
      const { openNameDialog } = await import('../dialogs/names');
      await openNameDialog({
        title: trans.__('New notebook in %1', name),
        label: trans.__('File name'),
        value: 'explore.ipynb',
        accept: trans.__('Create'),
        trans,
        submit: async typed => {
          const path = typed.endsWith('.ipynb') ? typed : `${typed}.ipynb`;
          const { attachments } = await client.package(name);
          if (attachments.some(attachment => attachment.path === path)) {
            throw takenError(context, path);
          }
          await packages.attach(name, path, new Blob([emptyNotebook(context)]));
          await openInDraft(context, name, path);
        }
      });
    }
  });

  commands.addCommand(CommandIDs.attachFiles, {
    label: trans.__('Copy of Jupyter Files…'),
    caption: trans.__('Copy notebooks and small files into the package'),
    icon: fileUploadIcon,
    describedBy: named,
    isVisible: () => documents !== null,
    execute: async args => {
      const name = draftOf(textArg(args, 'name'));
      if (name && documents) {
        await packages.attempt(() =>
          attachChosen(context, name, documents, translator)
        );
      }
    }
  });

  commands.addCommand(CommandIDs.openAttachment, {
    label: trans.__('Open'),
    caption: trans.__('Open this file of the package in an editor'),
    describedBy: textArgs({
      name: 'Name of the package; without it, the file of the active row',
      path: 'Path in the package'
    }),
    execute: async args => {
      const item = packages.tree.activeItem;
      const name = textArg(args, 'name') ?? item?.package;
      const path = textArg(args, 'path') ?? item?.name;
      if (name && path) {
        await packages.attempt(() => openInDraft(context, name, path));
      }
    }
  });
}

/** Open a file of a draft's folder in JupyterLab. */
async function openInDraft(
  { app, client, trans }: ICommandContext,
  name: string,
  path: string
): Promise<void> {
  const { folder } = await client.package(name);
  if (folder === null) {
    throw new PackagerError({
      code: 'folder_outside',
      message: trans.__(
        'The folder of %1 lies outside of what JupyterLab can open.',
        name
      ),
      remedy: trans.__(
        'Edit %1 with other tools, or start Jupyter where the packages are.',
        path
      )
    });
  }
  const full = folder ? `${folder}/${path}` : path;
  await app.commands.execute('docmanager:open', { path: full });
}

/** Let a person choose files of Jupyter and copy their bytes into the draft. */
async function attachChosen(
  { model, trans }: ICommandContext,
  name: string,
  documents: IDocumentManager,
  translator: ITranslator
): Promise<void> {
  const { FileDialog } = await import('@jupyterlab/filebrowser');
  const { button, value } = await FileDialog.getOpenFiles({
    manager: documents,
    title: trans.__('Copy files into %1', name),
    translator
  });
  if (!button.accept) {
    return;
  }
  const files = (value ?? []).filter(({ type }) => type !== 'directory');
  for (const { path, name: fileName } of files) {
    const file = await documents.services.contents.get(path, {
      content: true,
      ...(path.endsWith('.ipynb') ? {} : { type: 'file', format: 'base64' })
    });
    await model.packages.attach(name, fileName, bytesOf(file));
  }
}

function bytesOf(file: Contents.IModel): Blob {
  const content: unknown = file.content;
  if (typeof content !== 'string') {
    return new Blob([JSON.stringify(content, null, 1), '\n']);
  }
  if (file.format !== 'base64') {
    return new Blob([content]);
  }
  const bytes = Uint8Array.from(atob(content), char => char.charCodeAt(0));
  return new Blob([bytes]);
}

/** A notebook with nothing in it, for the kernel that this server starts by default. */
function emptyNotebook({ app }: ICommandContext): string {
  const { specs } = app.serviceManager.kernelspecs;
  const spec = specs?.kernelspecs[specs.default];
  const kernelspec = spec && {
    display_name: spec.display_name,
    language: spec.language,
    name: spec.name
  };
  const notebook = {
    cells: [],
    metadata: kernelspec ? { kernelspec } : {},
    nbformat: 4,
    nbformat_minor: 5
  };
  return `${JSON.stringify(notebook, null, 1)}\n`;
}

function takenError({ trans }: ICommandContext, path: string): PackagerError {
  return new PackagerError({
    code: 'conflict',
    message: trans.__('The package has a file %1 already.', path),
    remedy: trans.__('Take another name, or open the one that is there.')
  });
}
