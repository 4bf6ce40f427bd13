/** Sources and what they hold: the upper tree of the sidebar. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { NoSourceError } from '../api/errors';
import type { IEntry, INewSource, IPage, ISource } from '../api/types';
import type { IPackagerClient } from '../tokens';
import type { Loader } from '../tree/level';
import { SectionModel } from './section';

/** A connected source, at the top of the tree. */
export interface ISourceItem {
  readonly kind: 'source';
  readonly id: string;
  readonly name: string;
  readonly source: ISource;
  readonly children: Loader<SourceItem>;
}

/** A place in a source that a person jumped to: what begins with a prefix. */
export interface IJumpItem {
  readonly kind: 'jump';
  readonly id: string;
  readonly name: string;
  readonly source: ISource;
  readonly prefix: string;
  readonly children: Loader<SourceItem>;
}

/** A file or folder of a source. */
export interface IEntryItem {
  readonly kind: 'entry';
  readonly id: string;
  readonly name: string;
  readonly source: ISource;
  readonly entry: IEntry;
  readonly children: Loader<SourceItem> | null;
}

export type SourceItem = ISourceItem | IJumpItem | IEntryItem;

/** How the last request to a source went. */
export type SourceState = 'unknown' | 'ok' | 'failed';

/** State of the Sources section. */
export class SourcesModel extends SectionModel<SourceItem> {
  constructor(client: IPackagerClient, trans: TranslationBundle) {
    super(client, trans, {
      load: () => this._loadSources(),
      selectable: item =>
        item.kind === 'entry'
          ? {
              group: item.source.name,
              key: item.entry.key,
              isFolder: item.entry.is_folder,
              sizeBytes: item.entry.size_bytes
            }
          : null
    });
  }

  /** The connected sources, as last read. */
  get sources(): readonly ISource[] {
    return this._sources;
  }

  stateOf(name: string): SourceState {
    return this._states.get(name) ?? 'unknown';
  }

  /** Connect a source and open it, so that what is wrong with it shows at once. */
  async add(source: INewSource): Promise<void> {
    const added = await this.client.addSource(source);
    await this.refresh();
    this.reveal(added.name);
  }

  /** Change a source and read it again. */
  async update(source: INewSource): Promise<void> {
    await this.client.updateSource(source);
    this._states.delete(source.name);
    await this.refresh();
    this.reveal(source.name);
  }

  async remove(name: string): Promise<void> {
    await this.client.removeSource(name);
    this._states.delete(name);
    this._jumps = this._jumps.filter(jump => jump.source !== name);
    await this.refresh();
  }

  /** Open a source and make it the active row. */
  reveal(name: string): void {
    this._openTop(`source:${name}`, false);
  }

  /** The source whose address an address lies in: the one that says the most of it. */
  sourceOf(address: string): ISource | null {
    let best: ISource | null = null;
    for (const source of this._sources) {
      const root = withSlash(source.url);
      if (
        (address.startsWith(root) || withSlash(address) === root) &&
        root.length > withSlash(best?.url ?? '').length
      ) {
        best = source;
      }
    }
    return best;
  }

  /**
   * Show what begins with a prefix of a source, wherever it is, with one request.
   *
   * A prefix that is a whole source opens that.
   */
  async jump(source: string, prefix: string): Promise<void> {
    if (!prefix) {
      this._openTop(`source:${source}`, true);
      return;
    }
    this._jumps = [
      ...this._jumps.filter(
        jump => jump.source !== source || jump.prefix !== prefix
      ),
      { source, prefix }
    ];
    await this.refresh();
    this._openTop(jumpId(source, prefix), true);
  }

  /**
   * Go where a text says: an address (`s3://bucket/obs`), a source and a prefix (`lake:obs`), or
   * a prefix of the source of the active row (`obs`).
   *
   * @throws NoSourceError when no source holds the address.
   */
  async go(text: string): Promise<void> {
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
      const source = this.sourceOf(text);
      if (!source) {
        throw new NoSourceError(text, this.trans);
      }
      await this.jump(source.name, text.slice(withSlash(source.url).length));
      return;
    }
    const named = this._sources.find(({ name }) => text.startsWith(`${name}:`));
    const source = named ?? this.tree.activeItem?.source ?? this._sources[0];
    if (source) {
      const prefix = named ? text.slice(named.name.length + 1) : text;
      await this.jump(source.name, prefix);
    }
  }

  /** Take a place that was jumped to out of the tree. */
  async forgetJump(item: IJumpItem): Promise<void> {
    this._jumps = this._jumps.filter(
      jump => jumpId(jump.source, jump.prefix) !== item.id
    );
    await this.refresh();
  }

  /** Read one source, or what is below the active row, again. */
  async refreshActive(): Promise<void> {
    const { tree } = this;
    const row = tree.rowAt(tree.activeIndex);
    if (!row) {
      await this.refresh();
      return;
    }
    const opened =
      row.type === 'item' ? row.level.opened(row.position) : row.level;
    await (opened ?? row.level).refresh();
  }

  private _openTop(id: string, focus: boolean): void {
    const { root } = this.tree;
    const position = root.positionOf(id);
    if (position >= 0) {
      root.open(position);
      this.tree.reveal(root.offsetOf(position), { focus });
    }
  }

  private async _loadSources(): Promise<IPage<SourceItem>> {
    this._sources = await this.client.sources();
    this.tree.selection.retain(
      new Set(this._sources.map(source => source.name))
    );
    const items: SourceItem[] = [];
    for (const source of this._sources) {
      items.push({
        kind: 'source',
        id: `source:${source.name}`,
        name: source.name,
        source,
        children: this._loader(source, '')
      });
      for (const { prefix } of this._jumps.filter(
        jump => jump.source === source.name
      )) {
        items.push({
          kind: 'jump',
          id: jumpId(source.name, prefix),
          name: prefix,
          source,
          prefix,
          children: this._loader(source, prefix)
        });
      }
    }
    return { items, cursor: null };
  }

  private _loader(source: ISource, prefix: string): Loader<SourceItem> {
    return async (cursor, signal) => {
      try {
        const page = await this.client.entries(
          source.name,
          prefix,
          cursor,
          signal
        );
        this._states.set(source.name, 'ok');
        return {
          items: page.items.map(entry => this._item(source, entry)),
          cursor: page.cursor
        };
      } catch (error) {
        if (!signal.aborted) {
          this._states.set(source.name, 'failed');
        }
        throw error;
      }
    };
  }

  private _item(source: ISource, entry: IEntry): IEntryItem {
    return {
      kind: 'entry',
      id: entry.key,
      name: entry.name,
      source,
      entry,
      children: entry.is_folder ? this._loader(source, entry.key) : null
    };
  }

  private _sources: ISource[] = [];
  private _states = new Map<string, SourceState>();
  private _jumps: { source: string; prefix: string }[] = [];
}

/** The address of something in a source, without anything secret. */
export function addressOf(item: SourceItem): string {
  const key =
    item.kind === 'entry'
      ? item.entry.key
      : item.kind === 'jump'
        ? item.prefix
        : '';
  return key ? withSlash(item.source.url) + key : item.source.url;
}

function withSlash(url: string): string {
  return !url || url.endsWith('/') ? url : `${url}/`;
}

function jumpId(source: string, prefix: string): string {
  return `jump:${source}:${prefix}`;
}
