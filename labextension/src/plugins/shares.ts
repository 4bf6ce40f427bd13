import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { addShareCommands } from '../commands/shares';
import { DOMAIN, IPackagerClient, IPackagerModel } from '../tokens';

/** What one can do with shares. */
export const sharesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:shares',
  description: 'Adds the commands for shares.',
  autoStart: true,
  requires: [IPackagerClient, IPackagerModel],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: IPackagerClient,
    model: IPackagerModel,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): void => {
    const translation = translator ?? nullTranslator;
    const trans = translation.load(DOMAIN);
    addShareCommands({ app, client, model, trans });
    palette?.addItem({
      command: CommandIDs.share,
      category: trans.__('Packager')
    });
  }
};
