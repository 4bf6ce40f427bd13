import { ServerConnection } from '@jupyterlab/services';
import { nullTranslator } from '@jupyterlab/translation';

import type { IEntry, IPage } from '../api/types';
import type { ITreeItem, Loader } from '../tree/level';

export const trans = nullTranslator.load('packager_jupyter');

/** A promise whose end is in the hands of the test. */
export class Later<T> {
  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;
}

/** Let everything that waits for nothing but its turn happen. */
export async function settle(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 0));
}

export interface IPlainItem extends ITreeItem {
  readonly key: string;
  readonly children: Loader<IPlainItem> | null;
}

export function leaf(key: string): IPlainItem {
  return { id: key, name: key, key, children: null };
}

export function branch(key: string, children: Loader<IPlainItem>): IPlainItem {
  return { id: key, name: key, key, children };
}

/** A loader that serves a list of keys in pages, and counts the requests. */
export function paged(
  total: number,
  pageRows: number
): { load: Loader<IPlainItem>; requests: (string | null)[] } {
  const requests: (string | null)[] = [];
  return {
    requests,
    load: async cursor => {
      requests.push(cursor);
      const start = Number(cursor ?? '0');
      const end = Math.min(total, start + pageRows);
      const items: IPlainItem[] = [];
      for (let at = start; at < end; at++) {
        items.push(leaf(`key-${at}`));
      }
      return Promise.resolve({
        items,
        cursor: end < total ? String(end) : null
      });
    }
  };
}

/** What one request looked like. */
export interface ISeen {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly credentials: string | undefined;
  readonly body: string | undefined;
}

/** Server settings whose requests are answered by a function and remembered. */
export function fakeServer(
  answer: (seen: ISeen) => { status?: number; body: string; type?: string }
): { settings: ServerConnection.ISettings; seen: ISeen[] } {
  const seen: ISeen[] = [];
  class FakeRequest {
    constructor(
      readonly url: string,
      readonly init: RequestInit
    ) {
      this.headers = new Headers(init.headers);
    }

    readonly headers: Headers;
  }
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1:8888/a%40b/',
    token: 'sesame',
    Request: FakeRequest as unknown as typeof Request,
    fetch: async (input: RequestInfo | URL) => {
      const { url, init, headers } = input as unknown as FakeRequest;
      const one: ISeen = {
        method: init.method ?? 'GET',
        url,
        headers: Object.fromEntries(headers.entries()),
        credentials: init.credentials,
        body: typeof init.body === 'string' ? init.body : undefined
      };
      seen.push(one);
      const { status = 200, body, type } = answer(one);
      return Promise.resolve(
        new Response(body, {
          status,
          headers: { 'Content-Type': type ?? 'application/json' }
        })
      );
    }
  });
  return { settings, seen };
}

export function entry(key: string, sizeBytes = 1): IEntry {
  const isFolder = key.endsWith('/');
  return {
    key,
    name: key.replace(/\/$/, '').split('/').pop() ?? '',
    is_folder: isFolder,
    size_bytes: isFolder ? null : sizeBytes,
    modified_s: isFolder ? null : 1_700_000_000
  };
}

export function page<T>(items: T[], cursor: string | null = null): IPage<T> {
  return { items, cursor };
}
