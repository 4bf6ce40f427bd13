/** Things that are said in two places and must agree. */

import { readFileSync, readdirSync } from 'fs';
import { join } from 'path';

import { CommandIDs } from '../commands/ids';
import { VERSION } from '../version';

const HERE = join(__dirname, '..', '..');

interface ISchema {
  'jupyter.lab.toolbars': Record<string, { command: string }[]>;
  'jupyter.lab.menus': {
    context: { command?: string; type?: string; selector: string }[];
  };
  'jupyter.lab.shortcuts': { command: string; selector: string }[];
}

function read(...path: string[]): string {
  return readFileSync(join(HERE, ...path), 'utf8');
}

const schemas = readdirSync(join(HERE, 'schema')).map(name => ({
  name: name.replace('.json', ''),
  schema: JSON.parse(read('schema', name)) as ISchema
}));

describe('the version', () => {
  it('is the same everywhere', () => {
    const manifest = JSON.parse(read('package.json')) as { version: string };
    expect(manifest.version).toBe(VERSION);
    expect(read('..', 'packager_jupyter', '_version.py')).toContain(
      `__version__ = "${VERSION}"`
    );
  });
});

describe('a schema', () => {
  it.each(schemas)('of $name belongs to a plugin', ({ name }) => {
    expect(read('src', 'plugins', `${name}.ts`)).toContain(
      `id: 'packager-jupyter:${name}'`
    );
  });

  it.each(schemas)('of $name names commands that there are', ({ schema }) => {
    const known = new Set<string>(Object.values(CommandIDs));
    const named = [
      ...Object.values(schema['jupyter.lab.toolbars']).flat(),
      ...schema['jupyter.lab.menus'].context.filter(
        item => item.type !== 'separator'
      ),
      ...schema['jupyter.lab.shortcuts']
    ];
    expect(named.length).toBeGreaterThan(0);
    for (const { command } of named) {
      expect(known).toContain(command);
    }
  });

  it.each(schemas)('of $name selects one thing at a time', ({ schema }) => {
    for (const { selector } of schema['jupyter.lab.menus'].context) {
      expect(selector).not.toContain(',');
    }
  });
});
