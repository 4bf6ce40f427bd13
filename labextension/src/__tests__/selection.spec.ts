import type { ISelectable } from '../tree/selection';
import { Selection, parents } from '../tree/selection';

function item(key: string, sizeBytes: number | null = 10): ISelectable {
  const isFolder = key.endsWith('/');
  return {
    group: 'lake',
    key,
    isFolder,
    sizeBytes: isFolder ? null : sizeBytes
  };
}

describe('ticks', () => {
  it('know the folders that a key lies in', () => {
    expect(parents('a/b/c')).toEqual(['a/', 'a/b/']);
    expect(parents('a/b/')).toEqual(['a/']);
    expect(parents('c')).toEqual([]);
    expect(parents('//x')).toEqual(['/', '//']);
  });

  it('cover what lies below a ticked folder', () => {
    const ticks = new Selection();
    ticks.set(item('a/'), true);
    expect(ticks.tickOf(item('a/b/c'))).toBe('covered');
    expect(ticks.tickOf(item('ab'))).toBe('off');
    ticks.toggle(item('a/b/c'));
    expect(ticks.byGroup()).toEqual([['lake', ['a/']]]);
  });

  it('show a folder with ticks below it as mixed, and take them over', () => {
    const ticks = new Selection();
    ticks.set(item('a/b/c'), true);
    ticks.set(item('a/d'), true);
    expect(ticks.tickOf(item('a/'))).toBe('mixed');
    expect(ticks.tickOf(item('a/b/'))).toBe('mixed');
    ticks.set(item('a/'), true);
    expect(ticks.byGroup()).toEqual([['lake', ['a/']]]);
    ticks.set(item('a/'), false);
    expect(ticks.isEmpty).toBe(true);
    expect(ticks.tickOf(item('a/b/'))).toBe('off');
  });

  it('count files, folders and the bytes that are known', () => {
    const ticks = new Selection();
    ticks.set(item('a/'), true);
    ticks.set(item('b', 5), true);
    ticks.set(item('c', null), true);
    expect(ticks.summary).toEqual({ files: 2, folders: 1, bytes: 5 });
  });

  it('forget sources that are gone', () => {
    const ticks = new Selection();
    ticks.set(item('b'), true);
    ticks.retain(new Set(['other']));
    expect(ticks.isEmpty).toBe(true);
  });
});
