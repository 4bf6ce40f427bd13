/**
 * A tree of any length in the page: only the rows that are looked at exist.
 *
 * It is a WAI-ARIA treegrid with rows as the things that have the focus: one row is in the tab
 * order, arrow keys move, Enter opens, Space ticks.
 */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useLayoutEffect, useRef, useState } from 'react';

import { formatCount } from '../format';
import type { ITreeItem, Level, Row } from '../tree/level';
import type { Tree } from '../tree/tree';
import type { INoticeAction } from './notice';
import { Notice } from './notice';
import { treeKey } from './treekeys';
import type { ITallRow } from './virtual';
import { heightOf, topOf, visibleRows } from './virtual';

/** Height that an error row is given until it has been measured. */
const NOTICE_PX = 96;

/** Height that a tree is given until it has been measured. */
const VIEWPORT_PX = 480;

/** One value at the end of a row, with its exact form. */
export interface IRowValue {
  readonly text: string;
  readonly title: string;
  /** Goes first when the sidebar is narrow. */
  readonly isSecondary?: boolean;
}

/** What a row shows. */
export interface IRowView {
  /** What kind of thing it is, in words: context menus and styles select by them. */
  readonly kind: string;
  readonly icon: LabIcon;
  readonly name: string;
  /** What the tooltip says: the whole name, address, digest. */
  readonly title: string;
  /** Small text after the name. */
  readonly hint?: string;
  /** A mark at the end of the name, and what it means. */
  readonly mark?: {
    readonly kind: 'ok' | 'failed' | 'unknown' | 'changed';
    readonly title: string;
  };
  readonly values?: readonly IRowValue[];
  /** Buttons at the end of the row; each is a command that the context menu has too. */
  readonly actions?: readonly IRowAction[];
  readonly isCurrent?: boolean;
  readonly isDim?: boolean;
}

/** A button at the end of a row. */
export interface IRowAction {
  readonly icon: LabIcon;
  readonly label: string;
  readonly run: () => void;
}

/** Properties of a tree view. */
export interface ITreeViewProps<T extends ITreeItem> {
  tree: Tree<T>;
  label: string;
  trans: TranslationBundle;
  /** What the row of an item shows; `children` is what has been read below it. */
  describe: (item: T, children: Level<T> | null) => IRowView;
  /** What Enter and a double click do on a row without children. */
  onOpen: (item: T) => void;
  /** A row became the active one by hand. */
  onActivate?: (item: T) => void;
  /** What an empty folder says. */
  emptyText: string;
  /** Buttons of an error below this item, beside "Try again". */
  actionsFor?: (item: T | null) => readonly INoticeAction[];
}

/** The tree. */
export function TreeView<T extends ITreeItem>(
  props: ITreeViewProps<T>
): React.JSX.Element {
  const { tree, trans } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const hasFocus = useRef(false);
  const isMoving = useRef(false);
  const [viewport, setViewport] = useState({
    topPx: 0,
    heightPx: VIEWPORT_PX
  });
  const [heights, setHeights] = useState(new Map<Level<T>, number>());

  const { activeIndex: active, rowCount } = tree;
  const tall: ITallRow[] = tree.failedRows.map(index => {
    const row = tree.rowAt(index);
    return { index, heightPx: (row && heights.get(row.level)) ?? NOTICE_PX };
  });
  const shown = visibleRows(viewport, rowCount, tall, active);

  useEffect(() => tree.ensure(shown.first, shown.last));
  useEffect(() => observeHeight(scroller.current, setViewport), []);
  useLayoutEffect(() => {
    const node = scroller.current;
    if (!node) {
      return;
    }
    const asked = tree.takeReveal();
    if (asked) {
      scrollTo(node, active, tall);
    }
    // The row that had the focus may have gone out of the page, and the focus with it.
    const isLost = hasFocus.current && !node.contains(document.activeElement);
    if (isMoving.current || isLost || asked === 'focus') {
      isMoving.current = false;
      focusRow(node, active);
    }
  });

  const moveTo = (index: number): void => {
    const node = scroller.current;
    tree.activate(index);
    if (node) {
      scrollTo(node, tree.activeIndex, tall);
      isMoving.current = true;
    }
    notifyActive();
  };
  const notifyActive = (): void => {
    const item = tree.activeItem;
    if (item) {
      props.onActivate?.(item);
    }
  };

  const onKeyDown = (event: React.KeyboardEvent<HTMLDivElement>): void => {
    const isRow = (event.target as Element).getAttribute('role') === 'row';
    const pageRows = Math.max(1, Math.floor(viewport.heightPx / 24) - 1);
    if (isRow && treeKey(event, tree, pageRows, moveTo, props.onOpen)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  const onClick = (event: React.MouseEvent, row: Row<T>): void => {
    if ((event.target as Element).closest('button, details')) {
      return;
    }
    const index = tree.find(row);
    const isTick = (event.target as Element).closest('.jp-packager-tick');
    moveTo(index);
    if (event.shiftKey && tree.selectable(row)) {
      tree.selectTo(index);
    } else if (isTick || event.ctrlKey || event.metaKey) {
      tree.toggleSelected(index);
    } else if (tree.isOpen(row) !== null) {
      tree.toggleOpen(row);
    }
  };

  const onMeasure = (level: Level<T>, heightPx: number): void => {
    if (heights.get(level) !== heightPx) {
      setHeights(new Map([...heights, [level, heightPx]]));
    }
  };

  return (
    <div
      className="jp-packager-tree"
      role="treegrid"
      aria-label={props.label}
      aria-multiselectable="true"
      aria-rowcount={tree.isRead ? rowCount : -1}
      ref={scroller}
      onScroll={event => {
        const { scrollTop } = event.currentTarget;
        setViewport(old => ({ ...old, topPx: scrollTop }));
      }}
      onFocus={() => {
        hasFocus.current = true;
      }}
      onBlur={event => {
        hasFocus.current = event.currentTarget.contains(event.relatedTarget);
      }}
      onKeyDown={onKeyDown}
    >
      <div
        className="jp-packager-tree-space"
        role="presentation"
        style={{ height: topOf(rowCount, tall) }}
      >
        {shown.rows.map(index => {
          const row = tree.rowAt(index);
          const style = {
            top: topOf(index, tall),
            minHeight: heightOf(index, tall)
          };
          return (
            row && (
              <div
                key={keyOf(row)}
                className={classOf(row, tree)}
                style={style}
                data-index={index}
                tabIndex={index === active ? 0 : -1}
                aria-rowindex={index + 1}
                onClick={event => onClick(event, row)}
                onContextMenu={() => moveTo(tree.find(row))}
                onDoubleClick={() => {
                  if (row.type === 'item' && !row.item.children) {
                    props.onOpen(row.item);
                  }
                }}
                {...rowProps(row, tree, props)}
              >
                {row.type === 'item' ? (
                  <ItemCells row={row} tree={tree} view={props} />
                ) : (
                  <Tail level={row.level} view={props} onMeasure={onMeasure} />
                )}
              </div>
            )
          );
        })}
      </div>
      <span className="jp-packager-srOnly" role="status">
        {tree.root.status === 'loading' ? trans.__('Reading…') : ''}
      </span>
    </div>
  );
}

function classOf<T extends ITreeItem>(row: Row<T>, tree: Tree<T>): string {
  const item = tree.selectable(row);
  const tick = item ? tree.selection.tickOf(item) : 'off';
  const isOn = tick === 'on' || tick === 'covered';
  return `jp-packager-row${isOn ? ' jp-mod-selected' : ''}`;
}

function rowProps<T extends ITreeItem>(
  row: Row<T>,
  tree: Tree<T>,
  view: ITreeViewProps<T>
): React.HTMLAttributes<HTMLDivElement> & Record<`data-${string}`, string> {
  const { level } = row;
  if (row.type === 'tail') {
    return { role: 'row', 'aria-level': level.depth, 'data-kind': 'tail' };
  }
  const item = tree.selectable(row);
  const tick = item ? tree.selection.tickOf(item) : null;
  return {
    role: 'row',
    'aria-level': level.depth,
    'aria-posinset': row.position + 1,
    'aria-setsize': level.status === 'complete' ? level.items.length : -1,
    'aria-expanded': tree.isOpen(row) ?? undefined,
    'aria-selected': tick ? tick === 'on' || tick === 'covered' : undefined,
    'data-kind': view.describe(row.item, null).kind,
    'data-name': row.item.name
  };
}

function ItemCells<T extends ITreeItem>(props: {
  row: Row<T> & { type: 'item' };
  tree: Tree<T>;
  view: ITreeViewProps<T>;
}): React.JSX.Element {
  const { row, tree } = props;
  const view = props.view.describe(row.item, row.level.opened(row.position));
  const isOpen = tree.isOpen(row);
  const Twisty = isOpen ? caretDownIcon : caretRightIcon;
  const state = `${view.isCurrent ? ' jp-mod-current' : ''}${view.isDim ? ' jp-mod-dim' : ''}`;
  return (
    <>
      <div
        role="gridcell"
        className={`jp-packager-row-main${state}`}
        style={indent(row.level.depth)}
        title={view.title}
      >
        <span className="jp-packager-twisty" aria-hidden="true">
          {isOpen !== null && <Twisty.react tag="span" />}
        </span>
        <TickBox row={row} tree={tree} trans={props.view.trans} />
        <view.icon.react tag="span" className="jp-packager-row-icon" />
        <span className="jp-packager-row-name">{view.name}</span>
        {view.mark && (
          <span
            className="jp-packager-mark"
            data-mark={view.mark.kind}
            role="img"
            aria-label={view.mark.title}
            title={view.mark.title}
          />
        )}
        {view.hint && <span className="jp-packager-row-hint">{view.hint}</span>}
      </div>
      {view.values?.map((value, at) => (
        <div
          key={at}
          role="gridcell"
          className={`jp-packager-row-value${value.isSecondary ? ' jp-mod-secondary' : ''}`}
          title={value.title}
        >
          {value.text}
        </div>
      ))}
      {view.actions && (
        <div role="gridcell" className="jp-packager-row-actions">
          {view.actions.map(action => (
            <button
              key={action.label}
              type="button"
              tabIndex={-1}
              className="jp-packager-iconButton"
              title={action.label}
              aria-label={action.label}
              onClick={action.run}
            >
              <action.icon.react tag="span" />
            </button>
          ))}
        </div>
      )}
    </>
  );
}

function TickBox<T extends ITreeItem>(props: {
  row: Row<T>;
  tree: Tree<T>;
  trans: TranslationBundle;
}): React.JSX.Element | null {
  const item = props.tree.selectable(props.row);
  if (!item) {
    return null;
  }
  const tick = props.tree.selection.tickOf(item);
  return (
    <input
      type="checkbox"
      className="jp-packager-tick"
      aria-hidden="true"
      tabIndex={-1}
      readOnly
      checked={tick === 'on' || tick === 'covered'}
      disabled={tick === 'covered'}
      title={
        tick === 'covered'
          ? props.trans.__('Comes along with the folder above it.')
          : undefined
      }
      ref={node => {
        if (node) {
          node.indeterminate = tick === 'mixed';
        }
      }}
      // The row keeps the focus.
      onMouseDown={event => event.preventDefault()}
    />
  );
}

function Tail<T extends ITreeItem>(props: {
  level: Level<T>;
  view: ITreeViewProps<T>;
  onMeasure: (level: Level<T>, heightPx: number) => void;
}): React.JSX.Element {
  const { level, view, onMeasure } = props;
  const { trans } = view;
  const cell = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const heightPx = cell.current?.offsetHeight ?? 0;
    if (level.error && heightPx > 0) {
      onMeasure(level, heightPx);
    }
  });
  return (
    <div
      role="gridcell"
      className="jp-packager-row-tail"
      style={indent(level.depth)}
      ref={cell}
    >
      {level.error ? (
        <Notice
          error={level.error}
          trans={trans}
          actions={[
            {
              label: trans.__('Try again'),
              run: () => void level.loadMore()
            },
            ...(view.actionsFor?.(level.item) ?? [])
          ]}
          onDismiss={() => {
            level.parent?.close(level.positionInParent());
          }}
        />
      ) : (
        tailText(level, view)
      )}
    </div>
  );
}

function tailText<T extends ITreeItem>(
  level: Level<T>,
  view: ITreeViewProps<T>
): string {
  const { trans } = view;
  if (level.status === 'complete') {
    return view.emptyText;
  }
  return level.items.length === 0
    ? trans.__('Reading…')
    : trans.__('%1 read, reading on…', formatCount(level.items.length));
}

function indent(depth: number): React.CSSProperties {
  return { '--jp-packager-depth': depth - 1 } as React.CSSProperties;
}

/** Rows of one tree have keys that no other row has, and keep them when rows come above them. */
function keyOf<T extends ITreeItem>(row: Row<T>): string {
  const path: string[] = [];
  for (let at: Level<T> | null = row.level; at; at = at.parent) {
    path.unshift(at.item?.id ?? '');
  }
  return JSON.stringify([...path, row.type === 'item' ? row.item.id : null]);
}

function focusRow(node: HTMLElement, index: number): void {
  node
    .querySelector<HTMLElement>(`[data-index="${index}"]`)
    ?.focus({ preventScroll: true });
}

function scrollTo(
  node: HTMLElement,
  index: number,
  tall: readonly ITallRow[]
): void {
  const top = topOf(index, tall);
  const bottom = top + heightOf(index, tall);
  if (top < node.scrollTop) {
    node.scrollTop = top;
  } else if (bottom > node.scrollTop + node.clientHeight) {
    node.scrollTop = bottom - node.clientHeight;
  }
}

function observeHeight(
  node: HTMLElement | null,
  setViewport: React.Dispatch<
    React.SetStateAction<{ topPx: number; heightPx: number }>
  >
): (() => void) | undefined {
  if (!node) {
    return undefined;
  }
  const observer = new ResizeObserver(() => {
    const { clientHeight: heightPx, scrollTop: topPx } = node;
    setViewport(old =>
      old.heightPx === heightPx && old.topPx === topPx
        ? old
        : { heightPx, topPx }
    );
  });
  observer.observe(node);
  return () => observer.disconnect();
}
