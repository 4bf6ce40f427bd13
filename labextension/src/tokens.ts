import { Token } from '@lumino/coreutils';

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
} from './api/types';
import type { PackagerModel } from './model/model';

/** Every plugin's id begins with the package's name. */
export const PACKAGE = 'packager-jupyter';

/** The domain of our translations. */
export const DOMAIN = 'packager_jupyter';

/**
 * The REST API of the server half.
 *
 * Every method rejects with a `PackagerError` (a sentence, a remedy, a code) and, when it takes a
 * signal, with an `AbortError` after that was aborted.
 */
export interface IPackagerClient {
  /**
   * Ask who answers.
   *
   * @throws PackagerError with code `server_missing` when the server half does not run.
   */
  status(): Promise<IServerStatus>;

  /** List the connected sources. */
  sources(): Promise<ISource[]>;

  /**
   * Connect a source. The secret goes to the server and is not kept here.
   *
   * @throws PackagerError with code `conflict` when the name is taken, `bad_input` when not allowed.
   */
  addSource(source: INewSource): Promise<ISource>;

  /** Change a connected source; changing its address or endpoint forgets its secret. */
  updateSource(source: INewSource): Promise<ISource>;

  /** Disconnect a source. Packages that point into it keep their pointers. */
  removeSource(name: string): Promise<void>;

  /** Try what a source is for. */
  testSource(name: string): Promise<ISourceReport>;

  /**
   * Read one page of one level of a source: one storage request.
   *
   * @throws PackagerError when the storage refuses, is away or is none.
   */
  entries(
    name: string,
    prefix: string,
    cursor: string | null,
    signal?: AbortSignal
  ): Promise<IPage<IEntry>>;

  /** Get a short-lived address of one object's bytes. */
  presign(
    name: string,
    key: string,
    versionId?: string | null
  ): Promise<{ url: string; expires_s: number }>;

  /** List drafts and published packages. */
  packages(): Promise<IPackage[]>;

  /** Make an empty draft. */
  createPackage(name: string, title: string): Promise<IPackage>;

  /** One package with its metadata, folder and attachments. */
  package(name: string): Promise<IPackageDetail>;

  /** Delete the draft; published versions stay. */
  deleteDraft(name: string): Promise<void>;

  /** Read one page of one folder of a draft (`version` null) or of a version. */
  files(
    name: string,
    version: string | null,
    path: string,
    cursor: string | null,
    signal?: AbortSignal
  ): Promise<IPage<IFile>>;

  /** Add files and whole folders (keys ending in `/`) to a draft, as a job. */
  addFiles(name: string, source: string, keys: string[]): Promise<IJob>;

  /** Remove files and folders from a draft. */
  removeFiles(name: string, paths: string[]): Promise<void>;

  /** Give a file or folder of a draft another path. */
  moveFile(name: string, from: string, to: string): Promise<void>;

  /**
   * Put a small file into a draft.
   *
   * @throws PackagerError with code `too_large` beyond the server's limit.
   */
  attach(name: string, path: string, data: Blob): Promise<void>;

  /** Remove an attachment from a draft. */
  detach(name: string, path: string): Promise<void>;

  /** What publishing the draft now would freeze. */
  draftStatus(name: string): Promise<IDraftStatus>;

  /** The published versions, newest first. */
  versions(name: string): Promise<IVersion[]>;

  /**
   * Freeze the draft, as a job or at once.
   *
   * @throws PackagerError with code `version_exists` when other content has that version.
   */
  publish(name: string, version: string | null): Promise<IJob | IPublished>;

  /** The work of this server process, running and recent. */
  jobs(): Promise<IJob[]>;

  /** Call work off; what it changed is rolled back. */
  cancelJob(id: string): Promise<void>;

  /** List one's own shares. */
  shares(): Promise<IShare[]>;

  /** Share a published package. */
  createShare(share: INewShare): Promise<ICreatedShare>;

  /** Change a share; its link stays. */
  changeShare(id: string, change: IShareChange): Promise<ICreatedShare>;

  /** Give a share another link; the old one ends at once. */
  rotateShare(id: string): Promise<ICreatedShare>;

  /** The link of a share, to copy it again. */
  shareLink(id: string): Promise<string>;

  /** End a share for everyone. */
  revokeShare(id: string): Promise<void>;

  /** List the package registries. */
  feeds(): Promise<IFeed[]>;

  /** List one's own tokens, newest first, ended ones included. */
  tokens(): Promise<IApiToken[]>;

  /** Make a token; its secret is in the answer and nowhere else. */
  createToken(token: INewToken): Promise<ICreatedToken>;

  /** End a token at once. */
  revokeToken(id: string): Promise<void>;
}

/** Provides the REST API of the server half. */
export const IPackagerClient = new Token<IPackagerClient>(
  `${PACKAGE}:IPackagerClient`,
  'The REST API of Packager: sources, packages, shares, registries and jobs.'
);

/** The state of what the sidebar shows. */
export type IPackagerModel = PackagerModel;

/** Provides the state that every view of Packager reads. */
export const IPackagerModel = new Token<IPackagerModel>(
  `${PACKAGE}:IPackagerModel`,
  'The state of Packager: sources, packages, shares and running work.'
);
