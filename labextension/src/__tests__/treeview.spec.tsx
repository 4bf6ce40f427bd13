import { UseSignal, fileIcon } from '@jupyterlab/ui-components';
import React, { act } from 'react';
import type { Root } from 'react-dom/client';
import { createRoot } from 'react-dom/client';

import { PackagerError } from '../api/errors';
import { TreeView } from '../components/treeview';
import { indexAt, topOf, visibleRows } from '../components/virtual';
import type { ISelectable } from '../tree/selection';
import { Tree } from '../tree/tree';
import type { IPlainItem } from './helpers';
import { branch, leaf, page, paged, settle, trans } from './helpers';

const PAGE = 1000;
const ALL = 100_000;

// React asks for this before it lets tests flush its work.
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

describe('rows in a list of which a part is shown', () => {
  const tall = [
    { index: 2, heightPx: 100 },
    { index: 10, heightPx: 60 }
  ];

  it('stand below each other', () => {
    expect(topOf(2, tall)).toBe(48);
    expect(topOf(3, tall)).toBe(148);
    expect(topOf(11, tall)).toBe(148 + 7 * 24 + 60);
  });

  it('are found by their place', () => {
    for (const index of [0, 1, 2, 3, 9, 10, 11, 500]) {
      expect(indexAt(topOf(index, tall), tall)).toBe(index);
      expect(indexAt(topOf(index + 1, tall) - 1, tall)).toBe(index);
    }
  });

  it('are few, whatever the list', () => {
    const shown = visibleRows({ topPx: 1_000_000, heightPx: 480 }, ALL, [], 3);
    expect(shown.rows[0]).toBe(3);
    expect(shown.rows.length).toBeLessThan(50);
  });
});

describe('a tree view', () => {
  let host: HTMLDivElement;
  let root: Root;
  let opened: string[];

  async function show(tree: Tree<IPlainItem>): Promise<void> {
    opened = [];
    host = document.body.appendChild(document.createElement('div'));
    root = createRoot(host);
    await act(async () => {
      root.render(
        <UseSignal signal={tree.stateChanged}>
          {() => (
            <TreeView<IPlainItem>
              tree={tree}
              label="Keys"
              trans={trans}
              emptyText="Nothing in here."
              describe={item => ({
                kind: 'entry',
                icon: fileIcon,
                name: item.name,
                title: item.name
              })}
              onOpen={item => opened.push(item.name)}
            />
          )}
        </UseSignal>
      );
      await settle();
    });
  }

  const rows = (): HTMLElement[] => [
    ...host.querySelectorAll<HTMLElement>('[role=row]')
  ];
  const grid = (): HTMLElement =>
    host.querySelector<HTMLElement>('[role=treegrid]')!;
  const row = (name: string): HTMLElement =>
    rows().find(node => node.dataset.name === name)!;

  async function press(key: string, init: KeyboardEventInit = {}) {
    await act(async () => {
      document.activeElement?.dispatchEvent(
        new KeyboardEvent('keydown', { key, bubbles: true, ...init })
      );
      await settle();
    });
  }

  function selectable(item: IPlainItem): ISelectable {
    return { group: 'lake', key: item.key, isFolder: false, sizeBytes: 1 };
  }

  const explain = (error: unknown): PackagerError =>
    new PackagerError({
      code: 'storage_unreachable',
      message: String(error),
      remedy: 'Check the endpoint.',
      details: 'errno 111'
    });

  afterEach(() => {
    act(() => root.unmount());
    host.remove();
  });

  it('has few rows in the page though 100,000 are read', async () => {
    const { load, requests } = paged(ALL, PAGE);
    const tree = new Tree<IPlainItem>({ load, explain, selectable });
    await tree.root.refresh();
    while (tree.root.status === 'partial') {
      await tree.root.loadMore();
    }
    await show(tree);
    expect(requests).toHaveLength(ALL / PAGE);
    expect(grid().getAttribute('aria-rowcount')).toBe(String(ALL));
    expect(rows().length).toBeGreaterThan(10);
    expect(rows().length).toBeLessThan(60);
    await act(async () => {
      grid().scrollTop = 50_000 * 24;
      grid().dispatchEvent(new Event('scroll', { bubbles: true }));
      await settle();
    });
    expect(rows().length).toBeLessThan(60);
    expect(row('key-50000')).toBeDefined();
  });

  it('reads on when one scrolls to the end of what was read', async () => {
    const { load, requests } = paged(2500, PAGE);
    const tree = new Tree<IPlainItem>({ load, explain, selectable });
    await tree.root.refresh();
    await show(tree);
    expect(requests).toHaveLength(1);
    expect(grid().getAttribute('aria-rowcount')).toBe('-1');
    await act(async () => {
      grid().scrollTop = 1000 * 24;
      grid().dispatchEvent(new Event('scroll', { bubbles: true }));
      await settle();
      await settle();
    });
    expect(requests).toEqual([null, '1000']);
  });

  it('has one row in the tab order, and keys move it', async () => {
    const { load } = paged(100, PAGE);
    const tree = new Tree<IPlainItem>({ load, explain, selectable });
    await tree.root.refresh();
    await show(tree);
    expect(rows().filter(node => node.tabIndex === 0)).toHaveLength(1);
    row('key-0').focus();
    await press('ArrowDown');
    expect(document.activeElement).toBe(row('key-1'));
    await press('End');
    expect(document.activeElement).toBe(row('key-99'));
    expect(rows().filter(node => node.tabIndex === 0)).toHaveLength(1);
    await press('Home');
    expect(document.activeElement).toBe(row('key-0'));
    await press('Enter');
    expect(opened).toEqual(['key-0']);
  });

  it('opens and closes folders with the arrows', async () => {
    const inner = () => Promise.resolve(page([leaf('a/1')]));
    const tree = new Tree<IPlainItem>({
      load: () => Promise.resolve(page([branch('a/', inner), leaf('z')])),
      explain
    });
    await tree.root.refresh();
    await show(tree);
    row('a/').focus();
    expect(row('a/').getAttribute('aria-expanded')).toBe('false');
    await press('ArrowRight');
    expect(row('a/').getAttribute('aria-expanded')).toBe('true');
    await press('ArrowRight');
    expect(document.activeElement).toBe(row('a/1'));
    expect(row('a/1').getAttribute('aria-level')).toBe('2');
    await press('ArrowLeft');
    expect(document.activeElement).toBe(row('a/'));
    await press('ArrowLeft');
    expect(row('a/1')).toBeUndefined();
  });

  it('ticks with Space, Shift and Ctrl', async () => {
    const { load } = paged(10, PAGE);
    const tree = new Tree<IPlainItem>({ load, explain, selectable });
    await tree.root.refresh();
    await show(tree);
    row('key-2').focus();
    await act(async () => {
      row('key-2').click();
      await settle();
    });
    expect(tree.selection.isEmpty).toBe(true);
    await press(' ');
    expect(row('key-2').getAttribute('aria-selected')).toBe('true');
    await press('ArrowDown', { shiftKey: true });
    expect(tree.selection.summary.files).toBe(2);
    await act(async () => {
      row('key-6').dispatchEvent(
        new MouseEvent('click', { bubbles: true, shiftKey: true })
      );
      row('key-8').dispatchEvent(
        new MouseEvent('click', { bubbles: true, ctrlKey: true })
      );
      await settle();
    });
    expect(tree.selection.byGroup()[0]?.[1]).toEqual([
      'key-2',
      'key-3',
      'key-4',
      'key-5',
      'key-6',
      'key-8'
    ]);
    await press('Escape');
    expect(tree.selection.isEmpty).toBe(true);
  });

  it('says an error beside what it concerns, until it is dismissed', async () => {
    const tree = new Tree<IPlainItem>({
      load: () =>
        Promise.resolve(
          page([branch('a/', () => Promise.reject(new Error('no route')))])
        ),
      explain
    });
    await tree.root.refresh();
    await show(tree);
    await act(async () => {
      row('a/').click();
      await settle();
    });
    const alert = host.querySelector('[role=alert]')!;
    expect(alert.textContent).toContain('no route');
    expect(alert.textContent).toContain('Check the endpoint.');
    expect(alert.querySelector('details')!.open).toBe(false);
    await act(async () => {
      alert.querySelector<HTMLElement>('[aria-label=Dismiss]')!.click();
      await settle();
    });
    expect(host.querySelector('[role=alert]')).toBeNull();
    expect(row('a/').getAttribute('aria-expanded')).toBe('false');
  });

  it('tells an empty folder from one that is being read', async () => {
    const tree = new Tree<IPlainItem>({
      load: () =>
        Promise.resolve(
          page([
            branch('empty/', () => Promise.resolve(page([]))),
            branch('slow/', () => new Promise(() => undefined))
          ])
        ),
      explain
    });
    await tree.root.refresh();
    await show(tree);
    await act(async () => {
      row('empty/').click();
      row('slow/').click();
      await settle();
    });
    const tails = rows().filter(node => node.dataset.kind === 'tail');
    expect(tails.map(node => node.textContent)).toEqual([
      'Nothing in here.',
      'Reading…'
    ]);
  });
});
