import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { nullTranslator } from '@jupyterlab/translation';

import type { IPackagerClient } from '../tokens';
import { PackagerError, isErrorBody, notOurs, unreachable } from './errors';
import type {
  IApiToken,
  ICreatedShare,
  ICreatedToken,
  IDraftStatus,
  IEntry,
  IFeed,
  IFile,
  IJob,
  INewShare,
  INewSource,
  INewToken,
  IPackage,
  IPackageDetail,
  IPage,
  IPublished,
  IServerStatus,
  IShare,
  IShareChange,
  ISource,
  ISourceReport,
  IVersion
} from './types';

/** The version of the API that this client speaks. */
export const API_VERSION = 1;

/** Rows asked for at a time: one storage request in an S3 listing. */
export const PAGE_ROWS = 1000;

/** A list longer than this many pages is a defect of the server, not a list. */
const MAX_PAGES = 10_000;

type Query = Record<string, string | number | boolean | null | undefined>;

/**
 * The REST API of the server half, as typed calls.
 *
 * Every call resolves with the server's own JSON or rejects with a `PackagerError`; a call whose
 * signal was aborted rejects with an `AbortError`. Credentials of Jupyter go to Jupyter's own
 * server and nowhere else: when the API lives elsewhere, requests carry none.
 */
export class PackagerClient implements IPackagerClient {
  constructor(options: PackagerClient.IOptions = {}) {
    this._settings = options.serverSettings ?? ServerConnection.makeSettings();
    this._trans = (options.translator ?? nullTranslator).load(
      'packager_jupyter'
    );
    const url =
      options.apiUrl ??
      URLExt.join(this._settings.baseUrl, 'packager', 'api', 'v1');
    this._apiUrl = new URL(
      url.endsWith('/') ? url : `${url}/`,
      location.href
    ).href;
  }

  async status(): Promise<IServerStatus> {
    return this._json('GET', 'status');
  }

  async sources(): Promise<ISource[]> {
    return this._all('sources');
  }

  async addSource(source: INewSource): Promise<ISource> {
    return this._json('POST', 'sources', { body: source });
  }

  async updateSource(source: INewSource): Promise<ISource> {
    const { name, ...body } = source;
    return this._json('PATCH', `sources/${segment(name)}`, { body });
  }

  async removeSource(name: string): Promise<void> {
    await this._send('DELETE', `sources/${segment(name)}`);
  }

  async testSource(name: string): Promise<ISourceReport> {
    return this._json('POST', `sources/${segment(name)}/test`, { body: {} });
  }

  async entries(
    name: string,
    prefix: string,
    cursor: string | null,
    signal?: AbortSignal
  ): Promise<IPage<IEntry>> {
    return this._json('GET', `sources/${segment(name)}/entries`, {
      query: { prefix, cursor, limit: PAGE_ROWS },
      signal
    });
  }

  async presign(
    name: string,
    key: string,
    versionId?: string | null
  ): Promise<{ url: string; expires_s: number }> {
    return this._json('POST', `sources/${segment(name)}/presign`, {
      body: versionId ? { key, version_id: versionId } : { key }
    });
  }

  async packages(): Promise<IPackage[]> {
    return this._all('packages');
  }

  async createPackage(name: string, title: string): Promise<IPackage> {
    return this._json('POST', 'packages', {
      body: title ? { name, title } : { name }
    });
  }

  async package(name: string): Promise<IPackageDetail> {
    return this._json('GET', `packages/${segment(name)}`);
  }

  async deleteDraft(name: string): Promise<void> {
    await this._send('DELETE', `packages/${segment(name)}`);
  }

  async files(
    name: string,
    version: string | null,
    path: string,
    cursor: string | null,
    signal?: AbortSignal
  ): Promise<IPage<IFile>> {
    return this._json('GET', `packages/${segment(name)}/files`, {
      query: { version, path, cursor, limit: PAGE_ROWS },
      signal
    });
  }

  async addFiles(name: string, source: string, keys: string[]): Promise<IJob> {
    return this._json('POST', `packages/${segment(name)}/files`, {
      body: { source, keys }
    });
  }

  async removeFiles(name: string, paths: string[]): Promise<void> {
    await this._send('DELETE', `packages/${segment(name)}/files`, {
      body: JSON.stringify({ paths })
    });
  }

  async moveFile(name: string, from: string, to: string): Promise<void> {
    await this._send('POST', `packages/${segment(name)}/move`, {
      body: JSON.stringify({ from, to })
    });
  }

  async attach(name: string, path: string, data: Blob): Promise<void> {
    await this._send('PUT', `packages/${segment(name)}/attachments`, {
      query: { path },
      body: data,
      contentType: 'application/octet-stream'
    });
  }

  async detach(name: string, path: string): Promise<void> {
    await this._send('DELETE', `packages/${segment(name)}/attachments`, {
      query: { path }
    });
  }

  async draftStatus(name: string): Promise<IDraftStatus> {
    return this._json('GET', `packages/${segment(name)}/status`);
  }

  async versions(name: string): Promise<IVersion[]> {
    return this._all(`packages/${segment(name)}/versions`);
  }

  async publish(
    name: string,
    version: string | null
  ): Promise<IJob | IPublished> {
    return this._json('POST', `packages/${segment(name)}/versions`, {
      body: version ? { version, async: true } : { async: true }
    });
  }

  async jobs(): Promise<IJob[]> {
    return this._all('jobs');
  }

  async cancelJob(id: string): Promise<void> {
    await this._send('DELETE', `jobs/${segment(id)}`);
  }

  async shares(): Promise<IShare[]> {
    return this._all('shares');
  }

  async createShare(share: INewShare): Promise<ICreatedShare> {
    return this._json('POST', 'shares', { body: share });
  }

  async changeShare(id: string, change: IShareChange): Promise<ICreatedShare> {
    return this._json('PATCH', `shares/${segment(id)}`, { body: change });
  }

  async rotateShare(id: string): Promise<ICreatedShare> {
    return this._json('POST', `shares/${segment(id)}/rotate`);
  }

  async shareLink(id: string): Promise<string> {
    const { url } = await this._json<{ url: string }>(
      'GET',
      `shares/${segment(id)}/link`
    );
    return url;
  }

  async revokeShare(id: string): Promise<void> {
    await this._send('DELETE', `shares/${segment(id)}`);
  }

  async feeds(): Promise<IFeed[]> {
    return this._all('feeds');
  }

  async tokens(): Promise<IApiToken[]> {
    return this._all('tokens');
  }

  async createToken(token: INewToken): Promise<ICreatedToken> {
    return this._json('POST', 'tokens', { body: token });
  }

  async revokeToken(id: string): Promise<void> {
    await this._send('DELETE', `tokens/${segment(id)}`);
  }

  /** Read a list to its end: a part of it is never handed out as the whole. */
  private async _all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const answer: IPage<T> = await this._json('GET', path, {
        query: { cursor }
      });
      items.push(...answer.items);
      cursor = answer.cursor;
      if (cursor === null) {
        return items;
      }
    }
    throw notOurs(this._trans, 200, this._trans.__('The list does not end.'));
  }

  private async _json<T>(
    method: string,
    path: string,
    options: { query?: Query; body?: unknown; signal?: AbortSignal } = {}
  ): Promise<T> {
    const { body, ...rest } = options;
    const response = await this._send(method, path, {
      ...rest,
      body: body === undefined ? undefined : JSON.stringify(body)
    });
    try {
      return (await response.json()) as T;
    } catch (error) {
      if (options.signal?.aborted) {
        throw aborted();
      }
      throw notOurs(this._trans, response.status, String(error));
    }
  }

  private async _send(
    method: string,
    path: string,
    options: PackagerClient.IRequest = {}
  ): Promise<Response> {
    const { query, body, signal, contentType } = options;
    const url = this._url(path, query);
    const init: RequestInit = { method, body, signal, cache: 'no-cache' };
    if (body !== undefined) {
      init.headers = { 'Content-Type': contentType ?? 'application/json' };
    }
    let response: Response;
    try {
      response = await this._fetch(url, init);
    } catch (error) {
      if (signal?.aborted) {
        throw aborted();
      }
      throw unreachable(this._trans, error);
    }
    if (!response.ok) {
      throw await this._failure(response);
    }
    return response;
  }

  private _url(path: string, query: Query = {}): string {
    if (/(^|\/)\.{1,2}(\/|$)/.test(path)) {
      // A name of dots alone would climb out of where it stands.
      throw new PackagerError({
        code: 'bad_input',
        message: this._trans.__('A name cannot consist of dots.'),
        remedy: this._trans.__('Take a name with letters or digits.')
      });
    }
    const url = new URL(path, this._apiUrl);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) {
        url.searchParams.append(name, String(value));
      }
    }
    return url.href;
  }

  private _fetch(url: string, init: RequestInit): Promise<Response> {
    if (url.startsWith(this._settings.baseUrl)) {
      return ServerConnection.makeRequest(url, init, this._settings);
    }
    const request = new this._settings.Request(url, {
      ...init,
      credentials: 'omit',
      referrerPolicy: 'no-referrer'
    });
    return this._settings.fetch.call(null, request);
  }

  private async _failure(response: Response): Promise<PackagerError> {
    let body: unknown = null;
    try {
      body = await response.json();
    } catch (error) {
      // Not JSON: a proxy's page, or Jupyter without us. The status says which.
      return notOurs(
        this._trans,
        response.status,
        error instanceof Error ? response.statusText : ''
      );
    }
    return isErrorBody(body)
      ? new PackagerError(body, response.status)
      : notOurs(this._trans, response.status, response.statusText);
  }

  private _settings: ServerConnection.ISettings;
  private _trans: TranslationBundle;
  private _apiUrl: string;
}

/** A name as one path segment, the slash of a namespace included. */
function segment(name: string): string {
  return encodeURIComponent(name);
}

function aborted(): DOMException {
  return new DOMException('The request was called off.', 'AbortError');
}

/** Options of the client and of its requests. */
export namespace PackagerClient {
  /** How to make a client. */
  export interface IOptions {
    /** Jupyter's own server; its token goes nowhere else. */
    serverSettings?: ServerConnection.ISettings;
    /** Address of the API, when it is not below Jupyter's own server. */
    apiUrl?: string;
    translator?: ITranslator;
  }

  /** One request below the API's address. */
  export interface IRequest {
    query?: Query;
    body?: BodyInit;
    signal?: AbortSignal;
    contentType?: string;
  }
}
