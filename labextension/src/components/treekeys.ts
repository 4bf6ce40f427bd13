/** What the keys do in a tree, after the treegrid pattern of the ARIA practices. */

import type { ITreeItem } from '../tree/level';
import type { Tree } from '../tree/tree';

/** The part of a keyboard event that matters here. */
export interface IKey {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/**
 * Do what a key says.
 *
 * Returns whether the key was ours; others (shortcuts of JupyterLab, Tab) pass through.
 */
export function treeKey<T extends ITreeItem>(
  event: IKey,
  tree: Tree<T>,
  pageRows: number,
  moveTo: (index: number) => void,
  onOpen: (item: T) => void
): boolean {
  if (event.altKey) {
    return false;
  }
  const active = tree.activeIndex;
  const last = tree.rowCount - 1;
  const moves: Record<string, number> = {
    ArrowDown: Math.min(last, active + 1),
    ArrowUp: Math.max(0, active - 1),
    PageDown: Math.min(last, active + pageRows),
    PageUp: Math.max(0, active - pageRows),
    Home: 0,
    End: last
  };
  const isPlain = !event.ctrlKey && !event.metaKey;
  const target = moves[event.key];
  if (target !== undefined && isPlain) {
    if (event.shiftKey) {
      tree.selectRange(Math.min(active, target), Math.max(active, target));
    }
    moveTo(target);
    return true;
  }
  if (event.key.toLowerCase() === 'a' && !isPlain && !event.shiftKey) {
    return selectSiblings(tree, active);
  }
  return isPlain && actOn(event, tree, active, moveTo, onOpen);
}

function actOn<T extends ITreeItem>(
  event: IKey,
  tree: Tree<T>,
  active: number,
  moveTo: (index: number) => void,
  onOpen: (item: T) => void
): boolean {
  const row = tree.rowAt(active);
  if (!row) {
    return false;
  }
  const isOpen = tree.isOpen(row);
  switch (event.key) {
    case 'ArrowRight':
      if (isOpen) {
        moveTo(active + 1);
      } else {
        tree.open(row);
      }
      return true;
    case 'ArrowLeft':
      if (isOpen) {
        tree.close(row);
      } else if (tree.parentIndex(row) >= 0) {
        moveTo(tree.parentIndex(row));
      }
      return true;
    case 'Enter':
      if (row.type === 'item' && !row.item.children) {
        onOpen(row.item);
      } else {
        tree.toggleOpen(row);
      }
      return true;
    case ' ':
      if (event.shiftKey) {
        tree.selectTo(active);
      } else {
        tree.toggleSelected(active);
      }
      return true;
    case 'Escape':
      if (tree.selection.isEmpty) {
        return false;
      }
      tree.clearSelection();
      return true;
    default:
      return false;
  }
}

/** Tick what has been read of the level that the active row is in. */
function selectSiblings<T extends ITreeItem>(
  tree: Tree<T>,
  active: number
): boolean {
  const row = tree.rowAt(active);
  if (!row) {
    return false;
  }
  tree.selectItems(row.level.items);
  return true;
}
