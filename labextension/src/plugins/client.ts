import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';
import { ITranslator } from '@jupyterlab/translation';

import { PackagerClient } from '../api/client';
import { IPackagerClient } from '../tokens';

/** Provides the REST API of the server half. */
export const clientPlugin: JupyterFrontEndPlugin<IPackagerClient> = {
  id: 'packager-jupyter:client',
  description: 'Provides the REST API of the Packager server half.',
  autoStart: true,
  provides: IPackagerClient,
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null
  ): IPackagerClient =>
    new PackagerClient({
      serverSettings: app.serviceManager.serverSettings,
      // A deployment may run the API elsewhere; credentials do not go there.
      apiUrl: PageConfig.getOption('packagerApiUrl') || undefined,
      translator: translator ?? undefined
    })
};
