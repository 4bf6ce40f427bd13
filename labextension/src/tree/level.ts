/**
 * One level of a tree that is read page by page, and the arithmetic that finds a row by its number.
 *
 * A level owns its items, its cursor and its children; it never holds rows. Row numbers are
 * computed from the few children that are open, so a level of 100,000 items costs what a level
 * of ten costs.
 */

import type { PackagerError } from '../api/errors';
import type { IPage } from '../api/types';

/** What a tree shows: a name, and a way to read its children (null for a leaf). */
export interface ITreeItem {
  /** Stable among its siblings, so that a refresh keeps what is open. */
  readonly id: string;
  readonly name: string;
  readonly children: Loader<ITreeItem> | null;
}

/** Reads one page of items. A cursor of null asks for the first page. */
export type Loader<T> = (
  cursor: string | null,
  signal: AbortSignal
) => Promise<IPage<T>>;

/**
 * Where a level stands: `partial` has more to read, `complete` has been read to its end,
 * `failed` could not read on and says why.
 */
export type LevelStatus = 'partial' | 'loading' | 'complete' | 'failed';

/** What a level needs from the tree that it is in. */
export interface ILevelHost {
  /** Something about the level changed. */
  levelChanged(): void;
  /** Say an error in words. */
  explain(error: unknown): PackagerError;
}

/** One row: an item, or the last row of a level, which says how far it has been read. */
export type Row<T extends ITreeItem> =
  | {
      readonly type: 'item';
      readonly level: Level<T>;
      readonly position: number;
      readonly item: T;
    }
  | { readonly type: 'tail'; readonly level: Level<T> };

interface IChild<T extends ITreeItem> {
  level: Level<T>;
  isOpen: boolean;
}

/** The items below one parent. */
export class Level<T extends ITreeItem> {
  constructor(
    host: ILevelHost,
    load: Loader<T>,
    parent: { level: Level<T>; item: T } | null = null
  ) {
    this._host = host;
    this._load = load;
    this._parent = parent?.level ?? null;
    this.item = parent?.item ?? null;
    this.depth = parent ? parent.level.depth + 1 : 1;
  }

  /** Whose children these are; null at the root. */
  readonly item: T | null;

  /** 1 at the root, as `aria-level` counts. */
  readonly depth: number;

  get parent(): Level<T> | null {
    return this._parent;
  }

  get items(): readonly T[] {
    return this._items;
  }

  get status(): LevelStatus {
    return this._status;
  }

  get error(): PackagerError | null {
    return this._error;
  }

  /** The last row says how far the level has been read; that of a whole one goes without saying. */
  get hasTail(): boolean {
    return !this._isWhole || this._items.length === 0 || this._error !== null;
  }

  /** Rows of this level and of everything open below it. */
  get rowCount(): number {
    let count = this._items.length + (this.hasTail ? 1 : 0);
    for (const [, child] of this._opened()) {
      count += child.rowCount;
    }
    return count;
  }

  /** The row `index` rows below the start of this level. */
  rowAt(index: number): Row<T> | null {
    let start = 0;
    let next = 0;
    for (const [position, child] of this._opened()) {
      const at = start + position - next;
      if (index <= at) {
        break;
      }
      const inside = index - at - 1;
      const below = child.rowCount;
      if (inside < below) {
        return child.rowAt(inside);
      }
      start = at + 1 + below;
      next = position + 1;
    }
    const position = next + index - start;
    const item = this._items[position];
    if (item !== undefined) {
      return { type: 'item', level: this, position, item };
    }
    return this.hasTail && position === this._items.length
      ? { type: 'tail', level: this }
      : null;
  }

  /** Row number, counted from the start of this level, of the item at `position`. */
  offsetOf(position: number): number {
    let offset = position;
    for (const [opened, child] of this._opened()) {
      if (opened >= position) {
        break;
      }
      offset += child.rowCount;
    }
    return offset;
  }

  /** The open level below the item at `position`, if there is one. */
  opened(position: number): Level<T> | null {
    const child = this._children.get(this._items[position]?.id ?? '');
    return child?.isOpen ? child.level : null;
  }

  /** Row numbers, from the start of this level, of the tails that say an error. */
  *failedRows(start = 0): IterableIterator<number> {
    for (const [position, child] of this._opened()) {
      yield* child.failedRows(start + this.offsetOf(position) + 1);
    }
    if (this._status === 'failed') {
      yield start + this.rowCount - 1;
    }
  }

  /** Whether everything that is open has been read to its end. */
  get isRead(): boolean {
    return (
      this._status === 'complete' &&
      this._opened().every(([, child]) => child.isRead)
    );
  }

  /** Where this level hangs in its parent; -1 when it is not there, or closed. */
  positionInParent(): number {
    if (!this._parent || !this.item) {
      return -1;
    }
    const child = this._parent._children.get(this.item.id);
    return child?.level === this && child.isOpen
      ? this._parent.positionOf(this.item.id)
      : -1;
  }

  /** Position of the item with this id, -1 when it is not (yet) here. */
  positionOf(id: string): number {
    return this._items.findIndex(item => item.id === id);
  }

  /** Open the children of the item at `position`; the first time, read their first page. */
  open(position: number): Level<T> | null {
    const item = this._items[position];
    if (!item?.children) {
      return null;
    }
    let child = this._children.get(item.id);
    if (!child) {
      const load = item.children as Loader<T>;
      child = {
        level: new Level(this._host, load, { level: this, item }),
        isOpen: true
      };
      this._children.set(item.id, child);
    }
    child.isOpen = true;
    this._positions = null;
    if (child.level.status === 'partial' && child.level.items.length === 0) {
      void child.level.loadMore();
    }
    this._host.levelChanged();
    return child.level;
  }

  /** Close the children of the item at `position`. What was read stays, what failed is forgotten. */
  close(position: number): void {
    const id = this._items[position]?.id ?? '';
    const child = this._children.get(id);
    if (!child) {
      return;
    }
    child.isOpen = false;
    if (child.level.status === 'failed') {
      child.level.dispose();
      this._children.delete(id);
    }
    this._positions = null;
    this._host.levelChanged();
  }

  /** Read the next page, unless one is being read or there is none. */
  async loadMore(): Promise<void> {
    if (this._status === 'loading' || this._status === 'complete') {
      return;
    }
    await this._read(this._isStale ? null : this._cursor);
  }

  /**
   * Read again from the start. What is shown stays until the answer is here, and what is open
   * below stays open and is read again.
   */
  async refresh(): Promise<void> {
    this._isStale = true;
    await this._read(null);
  }

  /** Call off what is being read here and below. */
  dispose(): void {
    this._controller?.abort();
    this._controller = null;
    for (const { level } of this._children.values()) {
      level.dispose();
    }
  }

  private async _read(cursor: string | null): Promise<void> {
    this._controller?.abort();
    const controller = new AbortController();
    this._controller = controller;
    this._status = 'loading';
    this._error = null;
    this._host.levelChanged();
    try {
      const page = await this._load(cursor, controller.signal);
      if (this._controller !== controller) {
        return;
      }
      this._take(page);
    } catch (error) {
      if (this._controller !== controller) {
        return;
      }
      this._status = 'failed';
      this._error = this._host.explain(error);
    }
    this._controller = null;
    this._host.levelChanged();
  }

  private _take(page: IPage<T>): void {
    if (this._isStale) {
      this._isStale = false;
      this._items = page.items;
      this._keepChildren();
    } else {
      for (const item of page.items) {
        this._items.push(item);
      }
    }
    this._cursor = page.cursor;
    this._isWhole = page.cursor === null;
    this._status = page.cursor === null ? 'complete' : 'partial';
  }

  /** After a refresh: what is open and still there is read again, the rest is let go. */
  private _keepChildren(): void {
    this._positions = null;
    const items = new Map(this._items.map(item => [item.id, item]));
    const children = new Map<string, IChild<T>>();
    for (const [id, child] of this._children) {
      const item = items.get(id);
      if (item?.children && child.isOpen) {
        child.level._load = item.children as Loader<T>;
        children.set(id, child);
        void child.level.refresh();
      } else {
        child.level.dispose();
      }
    }
    this._children = children;
  }

  /** The open children in the order of their positions. */
  private _opened(): [number, Level<T>][] {
    if (!this._positions) {
      this._positions = [];
      for (const [id, child] of this._children) {
        const position = child.isOpen ? this.positionOf(id) : -1;
        if (position >= 0) {
          this._positions.push([position, child.level]);
        }
      }
      this._positions.sort(([a], [b]) => a - b);
    }
    return this._positions;
  }

  private _host: ILevelHost;
  private _load: Loader<T>;
  private _parent: Level<T> | null;
  private _items: T[] = [];
  private _children = new Map<string, IChild<T>>();
  private _positions: [number, Level<T>][] | null = null;
  private _cursor: string | null = null;
  private _status: LevelStatus = 'partial';
  private _error: PackagerError | null = null;
  private _controller: AbortController | null = null;
  private _isStale = true;
  /** Whether `_items` is all that there is; a level that is read again stays whole meanwhile. */
  private _isWhole = false;
}
