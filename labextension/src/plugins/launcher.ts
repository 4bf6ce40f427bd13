import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { DOMAIN } from '../tokens';

/** A card in the launcher. */
export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:launcher',
  description: 'Adds a card to the launcher that shows the sidebar.',
  autoStart: true,
  requires: [ILauncher],
  optional: [ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    launcher: ILauncher,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    launcher.add({
      command: CommandIDs.show,
      args: { at: 'launcher' },
      category: trans.__('Other'),
      rank: 20
    });
  }
};
