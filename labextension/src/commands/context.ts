/** What commands act with. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { TranslationBundle } from '@jupyterlab/translation';
import type {
  ReadonlyJSONObject,
  ReadonlyPartialJSONObject
} from '@lumino/coreutils';

import type { PackagerModel } from '../model/model';
import type { IPackagerClient } from '../tokens';

/** State, server and words. */
export interface ICommandContext {
  readonly app: JupyterFrontEnd;
  readonly model: PackagerModel;
  readonly client: IPackagerClient;
  readonly trans: TranslationBundle;
}

/** A text argument of a command; null when it was not given. */
export function textArg(
  args: ReadonlyPartialJSONObject,
  name: string
): string | null {
  const value = args[name];
  return typeof value === 'string' && value ? value : null;
}

/** The description of a command whose arguments are optional texts. */
export function textArgs(properties: Readonly<Record<string, string>>): {
  args: ReadonlyJSONObject;
} {
  return {
    args: {
      type: 'object',
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, description]) => [
          name,
          { type: 'string', description }
        ])
      )
    }
  };
}

/** Ask the browser to fetch an address into a file, without telling it where we are. */
export function download(url: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.rel = 'noreferrer noopener';
  link.target = '_blank';
  link.click();
}
