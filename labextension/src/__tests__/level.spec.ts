import { PackagerError } from '../api/errors';
import { Tree } from '../tree/tree';
import type { IPlainItem } from './helpers';
import { Later, branch, leaf, page, paged, settle } from './helpers';
import type { IPage } from '../api/types';

const explain = (error: unknown): PackagerError =>
  new PackagerError({
    code: 'test',
    message: String(error),
    remedy: 'Try again.'
  });

function names(tree: Tree<IPlainItem>): string[] {
  const found: string[] = [];
  for (let index = 0; index < tree.rowCount; index++) {
    const row = tree.rowAt(index);
    found.push(row?.type === 'item' ? row.item.name : `(${row?.level.status})`);
  }
  return found;
}

describe('a level that is read page by page', () => {
  it('reads 100,000 rows with one request a page', async () => {
    const { load, requests } = paged(100_000, 1000);
    const tree = new Tree<IPlainItem>({ load, explain });
    await tree.root.refresh();
    expect(tree.root.items).toHaveLength(1000);
    expect(requests).toHaveLength(1);
    while (tree.root.status === 'partial') {
      // Scrolling to the end, as a person would; asking twice asks once.
      tree.ensure(tree.rowCount - 20, tree.rowCount - 1);
      tree.ensure(tree.rowCount - 20, tree.rowCount - 1);
      await settle();
    }
    expect(tree.rowCount).toBe(100_000);
    expect(requests).toHaveLength(100);
    expect(new Set(requests).size).toBe(100);
    expect(names(tree)[99_999]).toBe('key-99999');
  });

  it('reads no further than what is looked at', async () => {
    const { load, requests } = paged(100_000, 1000);
    const tree = new Tree<IPlainItem>({ load, explain });
    await tree.root.refresh();
    tree.ensure(0, 30);
    await settle();
    expect(requests).toHaveLength(1);
  });

  it('says that a partial listing goes on', async () => {
    const { load } = paged(1500, 1000);
    const tree = new Tree<IPlainItem>({ load, explain });
    await tree.root.refresh();
    expect(tree.rowAt(1000)).toMatchObject({ type: 'tail' });
    expect(tree.isRead).toBe(false);
    await tree.root.loadMore();
    expect(tree.rowAt(1500)).toBeNull();
    expect(tree.isRead).toBe(true);
  });

  it('drops an answer that was overtaken by a refresh', async () => {
    const answers: Later<IPage<IPlainItem>>[] = [];
    const signals: AbortSignal[] = [];
    const tree = new Tree<IPlainItem>({
      load: (_cursor, signal) => {
        signals.push(signal);
        const later = new Later<IPage<IPlainItem>>();
        answers.push(later);
        return later.promise;
      },
      explain
    });
    const first = tree.root.refresh();
    const second = tree.root.refresh();
    expect(signals[0]?.aborted).toBe(true);
    answers[1]?.resolve(page([leaf('new')]));
    await second;
    answers[0]?.resolve(page([leaf('old')], 'more'));
    await first;
    expect(names(tree)).toEqual(['new']);
    expect(tree.root.status).toBe('complete');
  });

  it('drops an error that was overtaken by a refresh', async () => {
    const answers: Later<IPage<IPlainItem>>[] = [];
    const tree = new Tree<IPlainItem>({
      load: () => {
        const later = new Later<IPage<IPlainItem>>();
        answers.push(later);
        return later.promise;
      },
      explain
    });
    const first = tree.root.refresh();
    const second = tree.root.refresh();
    answers[0]?.reject(new Error('too late'));
    answers[1]?.resolve(page([leaf('new')]));
    await Promise.all([first, second]);
    expect(tree.root.error).toBeNull();
  });

  it('keeps what was read when the next page fails, and reads on from there', async () => {
    const { load, requests } = paged(2500, 1000);
    let isDown = false;
    const tree = new Tree<IPlainItem>({
      load: (cursor, signal) =>
        isDown ? Promise.reject(new Error('down')) : load(cursor, signal),
      explain
    });
    await tree.root.refresh();
    isDown = true;
    await tree.root.loadMore();
    expect(tree.root.status).toBe('failed');
    expect(tree.root.items).toHaveLength(1000);
    expect(tree.failedRows).toEqual([1000]);
    // A failure is not retried by scrolling.
    tree.ensure(990, 1000);
    await settle();
    expect(tree.root.status).toBe('failed');
    isDown = false;
    await tree.root.loadMore();
    expect(tree.root.items).toHaveLength(2000);
    expect(requests).toEqual([null, '1000']);
  });
});

describe('a tree with open folders', () => {
  function nested(): Tree<IPlainItem> {
    const inner = branch('b/', () => Promise.resolve(page([leaf('b/1')])));
    return new Tree<IPlainItem>({
      load: () =>
        Promise.resolve(
          page([
            branch('a/', () =>
              Promise.resolve(page([leaf('a/1'), inner, leaf('a/3')]))
            ),
            branch('empty/', () => Promise.resolve(page([]))),
            leaf('z')
          ])
        ),
      explain
    });
  }

  async function opened(): Promise<Tree<IPlainItem>> {
    const tree = nested();
    await tree.root.refresh();
    for (const index of [1, 0]) {
      tree.root.open(index);
    }
    await settle();
    tree.root.opened(0)?.open(1);
    await settle();
    return tree;
  }

  it('numbers the rows through all levels', async () => {
    const tree = await opened();
    expect(names(tree)).toEqual([
      'a/',
      'a/1',
      'b/',
      'b/1',
      'a/3',
      'empty/',
      '(complete)',
      'z'
    ]);
  });

  it('finds the number of every row again', async () => {
    const tree = await opened();
    for (let index = 0; index < tree.rowCount; index++) {
      const row = tree.rowAt(index);
      if (row?.type === 'item') {
        expect(tree.indexOf(row.level, row.position)).toBe(index);
      }
    }
  });

  it('keeps the active row when something opens above it', async () => {
    const tree = nested();
    await tree.root.refresh();
    tree.activate(2);
    tree.root.open(0);
    await settle();
    expect(tree.activeIndex).toBe(5);
    expect(tree.activeItem?.name).toBe('z');
  });

  it('moves the active row to the folder that closes above it', async () => {
    const tree = await opened();
    tree.activate(3);
    tree.root.close(0);
    expect(tree.activeItem?.name).toBe('a/');
  });

  it('keeps open what is still there after a refresh', async () => {
    const tree = await opened();
    const before = names(tree);
    await tree.root.refresh();
    await settle();
    await settle();
    expect(names(tree)).toEqual(before);
  });

  it('does not move when it is read again', async () => {
    const tree = await opened();
    const before = names(tree);
    const reading = tree.root.refresh();
    expect(names(tree)).toEqual(before);
    await reading;
  });

  it('does not ask again for a folder that is closed and opened', async () => {
    let requests = 0;
    const tree = new Tree<IPlainItem>({
      load: () =>
        Promise.resolve(
          page([
            branch('a/', () => {
              requests += 1;
              return Promise.resolve(page([leaf('a/1')]));
            })
          ])
        ),
      explain
    });
    await tree.root.refresh();
    tree.root.open(0);
    await settle();
    tree.root.close(0);
    tree.root.open(0);
    await settle();
    expect(requests).toBe(1);
    expect(tree.rowCount).toBe(2);
  });
});
