import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { addSourceCommands } from '../commands/sources';
import { DOMAIN, IPackagerClient, IPackagerModel } from '../tokens';

/** What one can do with sources. */
export const sourcesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:sources',
  description: 'Adds the commands for sources.',
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
    addSourceCommands({ app, client, model, trans });
    palette?.addItem({
      command: CommandIDs.addSource,
      category: trans.__('Packager')
    });
  }
};
