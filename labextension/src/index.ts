/**
 * The sidebar of packager_jupyter: sources, packages, shares and registries in JupyterLab.
 *
 * Small plugins with tokens: each can be replaced or switched off without the others.
 */

import { clientPlugin } from './plugins/client';
import { launcherPlugin } from './plugins/launcher';
import { modelPlugin } from './plugins/model';
import { packagesPlugin } from './plugins/packages';
import { registriesPlugin } from './plugins/registries';
import { sharesPlugin } from './plugins/shares';
import { sidebarPlugin } from './plugins/sidebar';
import { sourcesPlugin } from './plugins/sources';

export * from './tokens';

export default [
  clientPlugin,
  modelPlugin,
  sourcesPlugin,
  packagesPlugin,
  sharesPlugin,
  registriesPlugin,
  sidebarPlugin,
  launcherPlugin
];
