import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { addRegistryCommands } from '../commands/registries';
import { DOMAIN, IPackagerClient, IPackagerModel } from '../tokens';

/** What one can do with feeds and tokens. */
export const registriesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:registries',
  description: 'Adds the commands for registries.',
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
    addRegistryCommands({ app, client, model, trans });
    palette?.addItem({
      command: CommandIDs.newToken,
      category: trans.__('Packager')
    });
  }
};
