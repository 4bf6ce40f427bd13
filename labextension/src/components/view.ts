/** What every view of the sidebar is given. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

import type { PackagerModel } from '../model/model';

/** State, commands and words. */
export interface IViewContext {
  readonly model: PackagerModel;
  readonly commands: CommandRegistry;
  readonly trans: TranslationBundle;
  readonly locale: string;
}

/** Now, in Unix seconds. */
export function nowS(): number {
  return Date.now() / 1000;
}

/** An entry of a menu: a command, or null for a line. */
export type MenuEntry = {
  readonly command: string;
  readonly args: ReadonlyJSONObject;
} | null;

/** Open a menu of commands below a button; it goes away by itself. */
export function openMenu(
  commands: CommandRegistry,
  button: HTMLElement,
  entries: readonly MenuEntry[]
): Menu {
  const menu = new Menu({ commands });
  menu.addClass('jp-packager-menu');
  for (const entry of entries) {
    menu.addItem(entry ?? { type: 'separator' });
  }
  menu.aboutToClose.connect(() => {
    button.focus();
    // The chosen command runs after the menu has closed.
    window.setTimeout(() => menu.dispose(), 0);
  });
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
  return menu;
}
