/**
 * What is ticked in a tree: files and folders, by group (a source, a package) and key.
 *
 * A folder's key ends in `/` and takes everything below it along, whether it has been read or
 * not. So nothing below a ticked folder is ticked by itself, and a folder knows how many ticks
 * it has below it.
 */

/** One thing that can be ticked. */
export interface ISelectable {
  readonly group: string;
  readonly key: string;
  readonly isFolder: boolean;
  readonly sizeBytes: number | null;
}

/** How a row stands to the selection: `covered` comes along with a folder above it. */
export type Tick = 'on' | 'off' | 'mixed' | 'covered';

/** What is ticked, in numbers; bytes are those of the files ticked by themselves. */
export interface ISelectionSummary {
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
}

interface IGroup {
  readonly picked: Map<string, ISelectable>;
  /** Ticks below each folder. */
  readonly below: Map<string, number>;
}

/** The ticks of one tree. */
export class Selection {
  get summary(): ISelectionSummary {
    let files = 0;
    let folders = 0;
    let bytes = 0;
    for (const item of this.items()) {
      if (item.isFolder) {
        folders += 1;
      } else {
        files += 1;
        bytes += item.sizeBytes ?? 0;
      }
    }
    return { files, folders, bytes };
  }

  get isEmpty(): boolean {
    return this._groups.size === 0;
  }

  /** Everything ticked. */
  *items(): IterableIterator<ISelectable> {
    for (const group of this._groups.values()) {
      yield* group.picked.values();
    }
  }

  /** The ticked keys of each group. */
  byGroup(): [string, string[]][] {
    return [...this._groups].map(([name, group]) => [
      name,
      [...group.picked.keys()]
    ]);
  }

  tickOf(item: ISelectable): Tick {
    const group = this._groups.get(item.group);
    if (!group) {
      return 'off';
    }
    if (group.picked.has(item.key)) {
      return 'on';
    }
    if (parents(item.key).some(parent => group.picked.has(parent))) {
      return 'covered';
    }
    return item.isFolder && group.below.has(item.key) ? 'mixed' : 'off';
  }

  /** Tick or untick one thing. Ticking a folder takes over the ticks below it. */
  set(item: ISelectable, isOn: boolean): void {
    const tick = this.tickOf(item);
    if (isOn && (tick === 'off' || tick === 'mixed')) {
      if (tick === 'mixed') {
        this._clearBelow(item);
      }
      this._put(item);
    } else if (!isOn && tick === 'on') {
      this._drop(item.group, item.key);
    }
  }

  /** Tick what is not ticked, untick what is. What comes along with a folder stays. */
  toggle(item: ISelectable): void {
    this.set(item, this.tickOf(item) !== 'on');
  }

  clear(): void {
    this._groups.clear();
  }

  /** Forget the groups that are no more. */
  retain(groups: ReadonlySet<string>): void {
    for (const name of [...this._groups.keys()]) {
      if (!groups.has(name)) {
        this._groups.delete(name);
      }
    }
  }

  private _put(item: ISelectable): void {
    let group = this._groups.get(item.group);
    if (!group) {
      group = { picked: new Map(), below: new Map() };
      this._groups.set(item.group, group);
    }
    group.picked.set(item.key, item);
    for (const parent of parents(item.key)) {
      group.below.set(parent, (group.below.get(parent) ?? 0) + 1);
    }
  }

  private _drop(name: string, key: string): void {
    const group = this._groups.get(name);
    if (!group?.picked.delete(key)) {
      return;
    }
    for (const parent of parents(key)) {
      const left = (group.below.get(parent) ?? 1) - 1;
      if (left > 0) {
        group.below.set(parent, left);
      } else {
        group.below.delete(parent);
      }
    }
    if (group.picked.size === 0) {
      this._groups.delete(name);
    }
  }

  private _clearBelow(folder: ISelectable): void {
    const group = this._groups.get(folder.group);
    const keys = group ? [...group.picked.keys()] : [];
    for (const key of keys) {
      if (key.startsWith(folder.key)) {
        this._drop(folder.group, key);
      }
    }
  }

  private _groups = new Map<string, IGroup>();
}

/** The folders that a key lies in, from the top: `a/b/c` lies in `a/` and `a/b/`. */
export function parents(key: string): string[] {
  const found: string[] = [];
  // A folder does not lie in itself.
  const end = key.endsWith('/') ? key.length - 1 : key.length;
  for (let slash = key.indexOf('/'); slash >= 0 && slash < end;) {
    found.push(key.slice(0, slash + 1));
    slash = key.indexOf('/', slash + 1);
  }
  return found;
}
