/**
 * The state of one tree view: its rows by number, the row that has the focus, and the ticks.
 *
 * Components read this and call it; they keep nothing themselves.
 */

import { VDomModel } from '@jupyterlab/ui-components';

import type { PackagerError } from '../api/errors';
import type { ILevelHost, ITreeItem, Loader, Row } from './level';
import { Level } from './level';
import type { ISelectable } from './selection';
import { Selection } from './selection';

/** Rows beyond the visible ones for which the next page is read ahead. */
const READ_AHEAD_ROWS = 40;

/** How to make a tree. */
export interface ITreeOptions<T extends ITreeItem> {
  /** Reads the items of the first level. */
  load: Loader<T>;
  explain: (error: unknown) => PackagerError;
  /** What a tick on this item means; null where it can have none. */
  selectable?: (item: T) => ISelectable | null;
}

/** A row, so that it is found again after what stands above it has changed. */
interface IPlace<T extends ITreeItem> {
  level: Level<T>;
  position: number;
  id: string | null;
}

/** A lazily read tree with one active row and a selection. */
export class Tree<T extends ITreeItem> extends VDomModel implements ILevelHost {
  constructor(options: ITreeOptions<T>) {
    super();
    this._explain = options.explain;
    this._selectable = options.selectable ?? (() => null);
    this.root = new Level<T>(this, options.load);
  }

  readonly root: Level<T>;

  readonly selection = new Selection();

  get rowCount(): number {
    return this.root.rowCount;
  }

  /** Number of the row that has the focus when the tree has it; -1 in an empty tree. */
  get activeIndex(): number {
    const index = this._active ? this._locate(this._active) : 0;
    return Math.min(index, this.rowCount - 1);
  }

  /** The item that commands act on. */
  get activeItem(): T | null {
    const row = this.rowAt(this.activeIndex);
    return row?.type === 'item' ? row.item : null;
  }

  /** Numbers of the rows that say an error, in order; such rows are as tall as they need. */
  get failedRows(): number[] {
    return [...this.root.failedRows()];
  }

  /** Whether `rowCount` will stay as it is when one scrolls on. */
  get isRead(): boolean {
    return this.root.isRead;
  }

  rowAt(index: number): Row<T> | null {
    return index < 0 ? null : this.root.rowAt(index);
  }

  /** Number of a row; -1 when it is not shown. */
  indexOf(level: Level<T>, position: number): number {
    let offset = level.offsetOf(position);
    let below = level;
    for (let at = level.parent; at; below = at, at = at.parent) {
      const hangs = below.positionInParent();
      if (hangs < 0) {
        return -1;
      }
      offset += at.offsetOf(hangs) + 1;
    }
    return offset;
  }

  /** The number that a row has by now: others may have come above it since it was drawn. */
  find(row: Row<T>): number {
    return this._locate(placeOf(row));
  }

  /** Give a row the focus. */
  activate(index: number): void {
    const place = this._placeOf(
      Math.max(0, Math.min(index, this.rowCount - 1))
    );
    if (place) {
      this._active = place;
      this.stateChanged.emit();
    }
  }

  /** Give a row the focus from outside of the view: the view scrolls to it. */
  reveal(index: number, options: { focus: boolean }): void {
    this._reveal = options.focus ? 'focus' : 'scroll';
    this.activate(index);
  }

  /** What `reveal` asked of the view since the last time that the view asked. */
  takeReveal(): 'focus' | 'scroll' | null {
    const asked = this._reveal;
    this._reveal = null;
    return asked;
  }

  /** Whether the row's children are shown; null for a leaf. */
  isOpen(row: Row<T>): boolean | null {
    if (row.type === 'tail' || !row.item.children) {
      return null;
    }
    return row.level.opened(row.position) !== null;
  }

  open(row: Row<T>): void {
    if (row.type === 'item') {
      row.level.open(row.position);
    }
  }

  close(row: Row<T>): void {
    if (row.type === 'item') {
      row.level.close(row.position);
    }
  }

  toggleOpen(row: Row<T>): void {
    if (this.isOpen(row)) {
      this.close(row);
    } else {
      this.open(row);
    }
  }

  /** Number of the row that a row hangs from; -1 for the first level. */
  parentIndex(row: Row<T>): number {
    const { level } = row;
    return level.parent
      ? this.indexOf(level.parent, level.positionInParent())
      : -1;
  }

  /** Read on where the rows that are looked at come to the end of what has been read. */
  ensure(first: number, last: number): void {
    const end = Math.min(last + READ_AHEAD_ROWS, this.rowCount - 1);
    for (let index = Math.max(0, first); index <= end; index++) {
      const row = this.rowAt(index);
      if (row?.type !== 'tail' || row.level.status !== 'partial') {
        continue;
      }
      // A root that was never read waits until it is asked for.
      if (row.level.parent || row.level.items.length > 0) {
        void row.level.loadMore();
      }
    }
  }

  selectable(row: Row<T>): ISelectable | null {
    return row.type === 'item' ? this._selectable(row.item) : null;
  }

  /** Tick or untick one row; it becomes the start of the next range. */
  toggleSelected(index: number): void {
    const row = this.rowAt(index);
    const item = row ? this.selectable(row) : null;
    if (item) {
      this.selection.toggle(item);
      this._anchor = this._placeOf(index);
      this.stateChanged.emit();
    }
  }

  /** Tick every row from the last one that was ticked to this one. */
  selectTo(index: number): void {
    const from = this._anchor ? this._locate(this._anchor) : this.activeIndex;
    this.selectRange(Math.min(from, index), Math.max(from, index));
  }

  /** Tick every row between two numbers, both included. */
  selectRange(first: number, last: number): void {
    for (let index = Math.max(0, first); index <= last; index++) {
      const row = this.rowAt(index);
      const item = row ? this.selectable(row) : null;
      if (item) {
        this.selection.set(item, true);
      }
    }
    this.stateChanged.emit();
  }

  /** Tick these items. */
  selectItems(items: readonly T[]): void {
    for (const item of items) {
      const selectable = this._selectable(item);
      if (selectable) {
        this.selection.set(selectable, true);
      }
    }
    this.stateChanged.emit();
  }

  clearSelection(): void {
    this.selection.clear();
    this._anchor = null;
    this.stateChanged.emit();
  }

  levelChanged(): void {
    this.stateChanged.emit();
  }

  explain(error: unknown): PackagerError {
    return this._explain(error);
  }

  override dispose(): void {
    this.root.dispose();
    super.dispose();
  }

  private _placeOf(index: number): IPlace<T> | null {
    const row = this.rowAt(index);
    return row && placeOf(row);
  }

  /** Number of the row at a place: levels may have been read again or closed above it. */
  private _locate(place: IPlace<T>): number {
    let { level, position, id } = place;
    for (;;) {
      if (id !== null && level.items[position]?.id !== id) {
        const moved = level.positionOf(id);
        position = moved < 0 ? position : moved;
      }
      const index = this.indexOf(level, Math.min(position, level.items.length));
      if (index >= 0 || !level.parent || !level.item) {
        return Math.max(0, index);
      }
      id = level.item.id;
      level = level.parent;
      position = Math.max(0, level.positionOf(id));
    }
  }

  private _explain: (error: unknown) => PackagerError;
  private _selectable: (item: T) => ISelectable | null;
  private _active: IPlace<T> | null = null;
  private _anchor: IPlace<T> | null = null;
  private _reveal: 'focus' | 'scroll' | null = null;
}

function placeOf<T extends ITreeItem>(row: Row<T>): IPlace<T> {
  const { level } = row;
  return row.type === 'item'
    ? { level, position: row.position, id: row.item.id }
    : { level, position: level.items.length, id: null };
}
