/**
 * The JSON shapes of the REST API, as the server sends them.
 *
 * Names are the server's own (snake case, units in the name), so that a person who reads the
 * network log, the API's description and this file sees one vocabulary.
 */

/** One page of a list; `cursor` is opaque and null when the list is complete. */
export interface IPage<T> {
  items: T[];
  cursor: string | null;
}

/** Who answers, and which version of the API it speaks. */
export interface IServerStatus {
  version: string;
  api: number;
  host: string;
  user: { name: string };
  /** Folder of the drafts relative to Jupyter's root; null when it lies outside. */
  root_dir: string | null;
  /** Kinds of audience that a share may have on this server. */
  audiences: ('signed-in' | 'user' | 'group')[];
}

/** Options of a source beside its address. */
export interface ISourceOptions {
  endpoint_url?: string | null;
  region?: string | null;
  path_style?: boolean | null;
  ca_bundle?: string | null;
  public_endpoint_url?: string | null;
  presign_as?: string | null;
}

/** Where a source's credential comes from; never the credential. */
export interface ICredential {
  kind: string;
  ref?: string | null;
  hint?: string | null;
}

/** A connected source. */
export interface ISource {
  name: string;
  kind: string;
  url: string;
  options: ISourceOptions;
  credential: ICredential;
  is_managed: boolean;
}

/** What it takes to connect a source. `secret` goes to the server once and is never kept here. */
export interface INewSource {
  name: string;
  url: string;
  options: ISourceOptions;
  credential: { kind: string; ref?: string };
  secret?: Record<string, string>;
}

/** The outcome of testing a source. */
export interface ISourceReport {
  name: string;
  is_ok: boolean;
  checks: {
    what: string;
    is_ok: boolean;
    message: string;
    remedy: string | null;
  }[];
}

/** One row of a source's listing. */
export interface IEntry {
  key: string;
  name: string;
  is_folder: boolean;
  size_bytes: number | null;
  modified_s: number | null;
  etag?: string | null;
  version_id?: string | null;
  storage_class?: string | null;
  /** The bytes must be restored before they can be read. */
  is_archived?: boolean;
}

/** Files and bytes of a draft or of a version. */
export interface ITotals {
  files: number;
  bytes: number;
}

/** A published version. */
export interface IVersion extends ITotals {
  version: string;
  digest: string;
  created_s: number | null;
  title?: string | null;
}

/** A package in the list of packages. */
export interface IPackage {
  name: string;
  title: string | null;
  draft:
    (ITotals & { is_changed: boolean; base_version: string | null }) | null;
  latest: IVersion | null;
  versions: number;
}

/** A small file whose bytes are in the package. */
export interface IAttachment {
  path: string;
  size_bytes: number;
  media_type: string | null;
}

/** One package, whole. */
export interface IPackageDetail extends IPackage {
  metadata: Record<string, unknown>;
  /** Folder of the draft relative to Jupyter's root; null when it lies outside. */
  folder: string | null;
  attachments: IAttachment[];
}

/** One row of a package's contents. */
export interface IFile {
  path: string;
  name: string;
  is_folder: boolean;
  size_bytes: number | null;
  files?: number | null;
  modified_s: number | null;
  source: string | null;
  key: string | null;
  etag?: string | null;
  checksums?: Record<string, string>;
  media_type?: string | null;
}

/** What publishing the draft now would freeze. */
export interface IDraftStatus {
  files: number;
  bytes: number;
  attachments: number;
  unhashed_files: number;
  base_version: string | null;
  is_changed: boolean;
  added: number | null;
  removed: number | null;
  changed: number | null;
  digest: string | null;
}

/** What publishing gave. */
export interface IPublished extends ITotals {
  version: string;
  digest: string;
  is_new: boolean;
}

/** The one shape of every error. */
export interface IErrorBody {
  code: string;
  message: string;
  remedy: string;
  details?: string;
}

/** Long work on the server. */
export interface IJob {
  id: string;
  /** What is done: `add` or `publish`. */
  kind: string;
  /** The package it is done to. */
  subject: string;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  files: number;
  bytes: number;
  total_files?: number | null;
  started_s: number;
  ended_s?: number;
  result?: Record<string, unknown> | null;
  error?: IErrorBody | null;
}

/** A share, without its secret. */
export interface IShare {
  id: string;
  package: string;
  version: string;
  has_password: boolean;
  description: string;
  slug: string | null;
  created_s: number;
  starts_s: number | null;
  expires_s: number | null;
  max_downloads: number | null;
  uses: number;
  last_used_s: number | null;
  state: 'active' | 'not started' | 'expired' | 'revoked' | 'used up';
  token_prefix: string;
  /** Grows with each change. */
  revision: number;
  /** The part that is shared; empty is everything. */
  paths: string[];
  /** `anyone`, `signed-in`, or any of `user:NAME` and `group:NAME`. */
  audience: string[];
}

/** On what terms a package is shared; what is absent stays as it is, null clears. */
export interface IShareTerms {
  version?: string;
  password?: string | null;
  starts_in_s?: number | null;
  expires_in_s?: number | null;
  max_downloads?: number | null;
  description?: string;
  slug?: string | null;
  paths?: string[];
  audience?: string[];
}

/** What it takes to share a package. */
export interface INewShare extends IShareTerms {
  package: string;
}

/** A change of a share that is refused when somebody else changed it first. */
export interface IShareChange extends IShareTerms {
  revision: number;
}

/** A share just made: the only moment at which the capability address is known. */
export interface ICreatedShare {
  share: IShare;
  url: string;
  capability_url?: string | null;
  token: string;
}

/** A package registry of this installation. */
export interface IFeed {
  ecosystem: string;
  name: string;
  is_anonymous_read: boolean;
  projects: number;
  url: string;
  /** A line with which the client of the ecosystem installs from it. */
  install: string;
}

/** A token as its owner sees it: everything but the secret. */
export interface IApiToken {
  id: string;
  description: string;
  scopes: string[];
  created_s: number;
  expires_s: number;
  last_used_s: number | null;
  state: 'active' | 'expired' | 'revoked';
}

/** What it takes to make a token. */
export interface INewToken {
  scopes: string[];
  expires_in_s: number;
  description: string;
}

/** A token with its secret, which is known at this moment only. */
export interface ICreatedToken {
  token: string;
  info: IApiToken;
}
