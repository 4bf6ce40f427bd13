import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import {
  ICommandPalette,
  IToolbarWidgetRegistry,
  createToolbarFactory,
  setToolbar
} from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { addGeneralCommands } from '../commands/general';
import { CommandIDs } from '../commands/ids';
import { PackagerSidebar } from '../components/sidebar';
import { localeOf } from '../format';
import { DOMAIN, IPackagerModel } from '../tokens';

/** Third parties stand between 501 and 899 on the left. */
const RANK = 510;

/** The sidebar. */
export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'packager-jupyter:sidebar',
  description: 'Adds the sidebar with sources, packages and shares.',
  autoStart: true,
  requires: [IPackagerModel],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    ISettingRegistry,
    IToolbarWidgetRegistry,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    model: IPackagerModel,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    toolbars: IToolbarWidgetRegistry | null,
    translator: ITranslator | null
  ): void => {
    const translation = translator ?? nullTranslator;
    const trans = translation.load(DOMAIN);
    addGeneralCommands({ app, model, trans });
    palette?.addItem({
      command: CommandIDs.show,
      category: trans.__('Packager')
    });
    const sidebar = new PackagerSidebar(
      {
        model,
        commands: app.commands,
        trans,
        locale: localeOf(translation.languageCode)
      },
      translation
    );
    if (settings && toolbars) {
      for (const { factory, plugin, panel } of [
        {
          factory: 'PackagerSources',
          plugin: 'packager-jupyter:sources',
          panel: sidebar.sources
        },
        {
          factory: 'PackagerPackages',
          plugin: 'packager-jupyter:packages',
          panel: sidebar.packages
        },
        {
          factory: 'PackagerShares',
          plugin: 'packager-jupyter:shares',
          panel: sidebar.shares
        },
        {
          factory: 'PackagerRegistries',
          plugin: 'packager-jupyter:registries',
          panel: sidebar.registries
        }
      ]) {
        setToolbar(
          panel,
          createToolbarFactory(toolbars, settings, factory, plugin, translation)
        );
      }
    }
    app.shell.add(sidebar, 'left', { rank: RANK, type: 'Packager' });
    restorer?.add(sidebar, sidebar.id);
  }
};
