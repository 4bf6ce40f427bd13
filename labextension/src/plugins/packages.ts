import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addAttachCommands } from '../commands/attach';
import { CommandIDs } from '../commands/ids';
import { addPackageCommands } from '../commands/packages';
import { DOMAIN, IPackagerClient, IPackagerModel } from '../tokens';

/** Commands that make sense without a row to act on. */
const PALETTE = [
  CommandIDs.newPackage,
  CommandIDs.openReadme,
  CommandIDs.attachNotebook,
  CommandIDs.attachFiles,
  CommandIDs.openMetadata,
  CommandIDs.publish
];

/** What one can do with packages. */
export const packagesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:packages',
  description: 'Adds the commands for packages.',
  autoStart: true,
  requires: [IPackagerClient, IPackagerModel],
  optional: [IDocumentManager, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: IPackagerClient,
    model: IPackagerModel,
    documents: IDocumentManager | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    const translation = translator ?? nullTranslator;
    const trans = translation.load(DOMAIN);
    const context = { app, client, model, trans };
    addPackageCommands(context, documents);
    addAttachCommands(context, documents, translation);
    // Drafts are ordinary files: saving a README in an editor changes its package.
    app.serviceManager.contents.fileChanged.connect((_, change) => {
      const path = change.newValue?.path ?? change.oldValue?.path;
      if (path) {
        model.fileChanged(path);
      }
    }, model);
    for (const command of PALETTE) {
      palette?.addItem({ command, category: trans.__('Packager') });
    }
  }
};
