import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addGeneralCommands } from '../commands/general';
import { CommandIDs } from '../commands/ids';
import { addPackageCommands } from '../commands/packages';
import { addShareCommands } from '../commands/shares';
import { addSourceCommands } from '../commands/sources';
import { DOMAIN, IPackagerClient, IPackagerModel } from '../tokens';

/** Commands that make sense without a row to act on. */
const PALETTE = [
  CommandIDs.show,
  CommandIDs.addSource,
  CommandIDs.newPackage,
  CommandIDs.openReadme,
  CommandIDs.attachNotebook,
  CommandIDs.attachFiles,
  CommandIDs.openMetadata,
  CommandIDs.publish,
  CommandIDs.share
];

/** Everything one can do, as commands. */
export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:commands',
  description: 'Adds the commands for sources, packages and shares.',
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
    const context = {
      app,
      client,
      model,
      documents,
      translator: translation,
      trans
    };
    addGeneralCommands(context);
    addSourceCommands(context);
    addPackageCommands(context);
    addShareCommands(context);
    for (const command of PALETTE) {
      palette?.addItem({ command, category: trans.__('Packager') });
    }
  }
};
