/**
 * The sidebar of packager_jupyter: sources, packages and shares in JupyterLab.
 *
 * Small plugins with tokens: each can be replaced or switched off without the others.
 */

import { clientPlugin } from './plugins/client';
import { commandsPlugin } from './plugins/commands';
import { launcherPlugin } from './plugins/launcher';
import { modelPlugin } from './plugins/model';
import { sidebarPlugin } from './plugins/sidebar';

export * from './tokens';

export default [
  clientPlugin,
  modelPlugin,
  commandsPlugin,
  sidebarPlugin,
  launcherPlugin
];
