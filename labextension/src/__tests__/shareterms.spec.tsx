import { act } from 'react';
import { createRoot } from 'react-dom/client';

import type { IShare } from '../api/types';
import { ShareTerms, localTime } from '../dialogs/shareterms';
import { trans } from './helpers';

// React asks for this before it lets tests flush its work.
Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

const SHARE: IShare = {
  id: 'sh_1',
  package: 'ocean',
  version: 'latest',
  has_password: false,
  description: 'for the reviewers',
  slug: 'ocean',
  created_s: 1,
  starts_s: 1_900_000_040,
  expires_s: null,
  max_downloads: 10,
  uses: 0,
  last_used_s: null,
  state: 'not started',
  token_prefix: 'abcdef',
  revision: 3,
  paths: ['images', '*.tif'],
  audience: ['user:ann', 'group:staff']
};

/** Show the fields as a form does, and return what it would send. */
function show(terms: ShareTerms): {
  root: HTMLElement;
  values: () => Map<string, string>;
} {
  const root = document.createElement('form');
  const reactRoot = createRoot(root);
  const update = (): void =>
    act(() => reactRoot.render(terms.render({ update, isBusy: false })));
  update();
  return {
    root,
    values: () =>
      new Map(
        [...new FormData(root)].map(([name, value]) => [
          name,
          typeof value === 'string' ? value : ''
        ])
      )
  };
}

function choose(root: HTMLElement, value: string): void {
  const select = root.querySelector('select');
  if (select) {
    select.value = value;
    act(() => {
      select.dispatchEvent(new Event('change', { bubbles: true }));
    });
  }
}

describe('ShareTerms', () => {
  it('asks for nothing that was not typed', () => {
    const terms = new ShareTerms(trans, ['signed-in'], null);
    expect(terms.read(show(terms).values())).toEqual({});
  });

  it('changes nothing when nothing was changed', () => {
    const terms = new ShareTerms(trans, ['signed-in', 'user', 'group'], SHARE);
    expect(terms.read(show(terms).values())).toEqual({
      description: SHARE.description,
      slug: SHARE.slug,
      max_downloads: SHARE.max_downloads,
      paths: SHARE.paths,
      audience: SHARE.audience
    });
  });

  it('offers what the server can check, and nothing else', () => {
    const offered = (
      checkable: ('signed-in' | 'user' | 'group')[]
    ): string[] => {
      const { root } = show(new ShareTerms(trans, checkable, null));
      return [...root.querySelectorAll('option')].map(option => option.value);
    };
    expect(offered([])).toEqual([]);
    expect(offered(['signed-in'])).toEqual(['anyone', 'signed-in']);
    expect(offered(['signed-in', 'user'])).toEqual([
      'anyone',
      'signed-in',
      'named'
    ]);
  });

  it('asks for names once people are chosen', () => {
    const terms = new ShareTerms(trans, ['signed-in', 'user'], null);
    const { root, values } = show(terms);
    expect(root.querySelector('[name=names]')).toBeNull();
    choose(root, 'signed-in');
    expect(terms.read(values()).audience).toEqual(['signed-in']);
    choose(root, 'named');
    const names = root.querySelector<HTMLInputElement>('[name=names]');
    expect(names?.required).toBe(true);
    if (names) {
      names.value = ' user:ann , user:bob,';
    }
    expect(terms.read(values()).audience).toEqual(['user:ann', 'user:bob']);
  });

  it('clears what was emptied', () => {
    const terms = new ShareTerms(trans, ['user'], SHARE);
    show(terms);
    const emptied = new Map([
      ['description', ''],
      ['slug', ''],
      ['most', ''],
      ['paths', ' \n '],
      ['names', 'user:ann'],
      ['starts', '']
    ]);
    expect(terms.read(emptied)).toEqual({
      description: '',
      slug: null,
      max_downloads: null,
      paths: [],
      audience: ['user:ann'],
      starts_in_s: null
    });
  });

  it('counts a beginning from now', () => {
    const terms = new ShareTerms(trans, [], null);
    const inTwoHours = localTime(Date.now() / 1000 + 7200);
    const read = terms.read(new Map([['starts', inTwoHours]]));
    expect(read.starts_in_s).toBeGreaterThan(7200 - 61);
    expect(read.starts_in_s).toBeLessThanOrEqual(7200);
  });
});
