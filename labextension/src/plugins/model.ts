import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator } from '@jupyterlab/translation';

import { PackagerModel } from '../model/model';
import { IPackagerClient, IPackagerModel } from '../tokens';
import { VERSION } from '../version';

/** Where the package that is being worked on is remembered, for this workspace. */
const CURRENT_KEY = 'packager-jupyter:current-package';

/** Provides the state that every view reads. */
export const modelPlugin: JupyterFrontEndPlugin<IPackagerModel> = {
  id: 'packager-jupyter:model',
  description: 'Provides the state of sources, packages, shares and work.',
  autoStart: true,
  provides: IPackagerModel,
  requires: [IPackagerClient],
  optional: [IStateDB, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: IPackagerClient,
    state: IStateDB | null,
    translator: ITranslator | null
  ): IPackagerModel => {
    const model = new PackagerModel({
      client,
      version: VERSION,
      translator: translator ?? undefined
    });
    if (state) {
      void app.restored.then(() => remember(model, state));
    }
    return model;
  }
};

/** Work on the same package again after a reload. */
async function remember(model: PackagerModel, state: IStateDB): Promise<void> {
  const { packages } = model;
  const known = await state.fetch(CURRENT_KEY);
  if (typeof known === 'string' && !packages.current) {
    packages.setCurrent(known);
  }
  let saved = known;
  packages.stateChanged.connect(() => {
    const name = packages.current?.name;
    if (name && name !== saved) {
      saved = name;
      void state.save(CURRENT_KEY, name);
    }
  }, model);
}
