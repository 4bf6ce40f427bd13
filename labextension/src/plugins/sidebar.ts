import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import {
  IToolbarWidgetRegistry,
  createToolbarFactory,
  setToolbar
} from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { PackagerSidebar } from '../components/sidebar';
import { localeOf } from '../format';
import { DOMAIN, IPackagerModel } from '../tokens';

const PLUGIN_ID = 'packager-jupyter:sidebar';

/** Third parties stand between 501 and 899 on the left. */
const RANK = 510;

/** The sidebar. */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Adds the sidebar with sources, packages and shares.',
  autoStart: true,
  requires: [IPackagerModel],
  optional: [
    ILayoutRestorer,
    ISettingRegistry,
    IToolbarWidgetRegistry,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    model: IPackagerModel,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    toolbars: IToolbarWidgetRegistry | null,
    translator: ITranslator | null
  ): void => {
    const translation = translator ?? nullTranslator;
    const context = {
      model,
      commands: app.commands,
      trans: translation.load(DOMAIN),
      locale: localeOf(translation.languageCode)
    };
    const sidebar = new PackagerSidebar(context, translation);
    if (settings && toolbars) {
      const sections = {
        PackagerSources: sidebar.sources,
        PackagerPackages: sidebar.packages,
        PackagerShares: sidebar.shares
      };
      for (const [factory, panel] of Object.entries(sections)) {
        setToolbar(
          panel,
          createToolbarFactory(
            toolbars,
            settings,
            factory,
            PLUGIN_ID,
            translation
          )
        );
      }
    }
    app.shell.add(sidebar, 'left', { rank: RANK, type: 'Packager' });
    restorer?.add(sidebar, sidebar.id);
  }
};
