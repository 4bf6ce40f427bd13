/** The whole state of the sidebar: the server half, and one model for each section. */

import type { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { nullTranslator } from '@jupyterlab/translation';
import { VDomModel } from '@jupyterlab/ui-components';

import { API_VERSION } from '../api/client';
import { PackagerError, asPackagerError } from '../api/errors';
import type { IJob, IServerStatus } from '../api/types';
import type { IPackagerClient } from '../tokens';
import { DOMAIN } from '../tokens';
import { JobsModel } from './jobs';
import { PackagesModel } from './packages';
import { RegistriesModel } from './registries';
import { SharesModel } from './shares';
import { SourcesModel } from './sources';

/** Whether the server half answers, and if not, why and which command mends it. */
export type ServerState =
  | { readonly kind: 'checking' }
  | { readonly kind: 'ready'; readonly status: IServerStatus }
  | {
      readonly kind: 'broken';
      readonly error: PackagerError;
      /** A command line that mends it, where there is one. */
      readonly command: string | null;
    };

/** How to make the state. */
export interface IPackagerModelOptions {
  client: IPackagerClient;
  /** Version of this sidebar. */
  version: string;
  translator?: ITranslator;
}

/** State of everything that the sidebar shows. */
export class PackagerModel extends VDomModel {
  constructor(options: IPackagerModelOptions) {
    super();
    this._client = options.client;
    this._version = options.version;
    this._trans = (options.translator ?? nullTranslator).load(DOMAIN);
    this.sources = new SourcesModel(this._client, this._trans);
    this.packages = new PackagesModel(this._client, this._trans);
    this.shares = new SharesModel(this._client, this._trans);
    this.registries = new RegistriesModel(this._client, this._trans);
    this.jobs = new JobsModel(this._client, this._trans);
    this.jobs.ended.connect(this._onEnded, this);
  }

  readonly sources: SourcesModel;

  readonly packages: PackagesModel;

  readonly shares: SharesModel;

  readonly registries: RegistriesModel;

  readonly jobs: JobsModel;

  get server(): ServerState {
    return this._server;
  }

  /**
   * Whether this page and the server were installed from different versions that still
   * understand each other: reloading the page mends it.
   */
  get isOutdated(): boolean {
    return (
      this._server.kind === 'ready' &&
      this._server.status.version !== this._version
    );
  }

  /** Ask the server half who it is and, when it is the right one, read everything. */
  async start(): Promise<void> {
    this._setServer({ kind: 'checking' });
    try {
      const status = await this._client.status();
      if (status.api !== API_VERSION) {
        this._setServer(this._otherVersion(status));
        return;
      }
      this._setServer({ kind: 'ready', status });
    } catch (error) {
      this._setServer(this._broken(asPackagerError(error, this._trans)));
      return;
    }
    await this.refresh();
  }

  /** Read all four lists and the running work again. */
  async refresh(): Promise<void> {
    if (this._server.kind !== 'ready') {
      return;
    }
    await Promise.all([
      this.sources.refresh(),
      this.packages.refresh(),
      this.shares.refresh(),
      this.registries.refresh(),
      this.jobs.start()
    ]);
  }

  /** A file of Jupyter was written or deleted: it may belong to a draft. */
  fileChanged(path: string): void {
    if (this._server.kind !== 'ready') {
      return;
    }
    const root = this._server.status.root_dir;
    if (
      root !== null &&
      path.startsWith(root ? `${root}/packages/` : 'packages/')
    ) {
      this.packages.refreshSoon();
    }
  }

  /** Add what is ticked in the sources to a draft, as jobs, one for each source. */
  async addSelectionTo(name: string): Promise<void> {
    const { selection } = this.sources.tree;
    for (const [source, keys] of selection.byGroup()) {
      const done = await this.sources.attempt(async () => {
        await this.jobs.follow(await this._client.addFiles(name, source, keys));
      });
      if (!done) {
        return;
      }
    }
    this.packages.setCurrent(name);
    this.sources.tree.clearSelection();
  }

  /** Freeze a draft; resolves when the work has been accepted. */
  async publish(name: string, version: string | null): Promise<void> {
    const answer = await this._client.publish(name, version);
    if ('state' in answer) {
      await this.jobs.follow(answer);
    } else {
      await this.packages.refresh();
    }
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.sources.dispose();
      this.packages.dispose();
      this.shares.dispose();
      this.registries.dispose();
      this.jobs.dispose();
      super.dispose();
    }
  }

  private _onEnded(_: JobsModel, job: IJob): void {
    void this.packages.refresh().then(() => {
      if (job.state === 'done') {
        this.packages.reveal(job.subject);
      }
    });
  }

  private _setServer(server: ServerState): void {
    this._server = server;
    this.stateChanged.emit();
  }

  private _broken(error: PackagerError): ServerState {
    return {
      kind: 'broken',
      error,
      command:
        error.code === 'server_missing'
          ? 'pip install packager_jupyter && jupyter server extension enable packager_jupyter'
          : null
    };
  }

  private _otherVersion(status: IServerStatus): ServerState {
    const trans = this._trans;
    return {
      kind: 'broken',
      error: new PackagerError({
        code: 'server_version',
        message: trans.__(
          'This sidebar is version %1, but the server half is version %2 and speaks another API.',
          this._version,
          status.version
        ),
        remedy: trans.__(
          'Run the command below where the Jupyter server runs, restart it, then reload this page.'
        )
      }),
      command: `pip install --upgrade "packager_jupyter==${this._version}"`
    };
  }

  private _client: IPackagerClient;
  private _version: string;
  private _trans: TranslationBundle;
  private _server: ServerState = { kind: 'checking' };
}
