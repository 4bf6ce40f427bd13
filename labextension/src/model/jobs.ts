/** Long work on the server: one row each, with progress, until it is dismissed. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomModel } from '@jupyterlab/ui-components';
import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { asPackagerError } from '../api/errors';
import type { IJob } from '../api/types';
import type { IPackagerClient } from '../tokens';
import { Notices } from './notices';

const POLL_MS = 500;
const POLL_MAX_MS = 10_000;

/** A job with how fast it goes, as seen from here. */
export interface IJobRow {
  readonly job: IJob;
  /** Files a second since it was last looked at; null when not yet known. */
  readonly filesPerS: number | null;
}

/** State of the work rows. Work goes on without us: a reloaded page finds it again. */
export class JobsModel extends VDomModel {
  constructor(client: IPackagerClient, trans: TranslationBundle) {
    super();
    this._client = client;
    this._trans = trans;
    this._poll = new Poll({
      name: 'packager-jupyter:jobs',
      auto: false,
      factory: () => this._read(),
      frequency: { interval: POLL_MS, backoff: true, max: POLL_MAX_MS },
      standby: () => (this._isRunning ? 'when-hidden' : true)
    });
  }

  readonly notices = new Notices(() => this.stateChanged.emit());

  /** The work to show: what runs, and what ended since this page was opened. */
  get rows(): readonly IJobRow[] {
    return this._rows;
  }

  /** A job that this page began or saw running has ended. */
  get ended(): ISignal<this, IJob> {
    return this._jobEnded;
  }

  /** Find the work that runs already, then follow it. */
  async start(): Promise<void> {
    await this._read();
    await this._poll.start();
  }

  /** Follow a job that was just begun; what was done to the same package before is old news. */
  async follow(job: IJob): Promise<void> {
    this._seen.add(job.id);
    for (const { job: old } of this._rows) {
      if (old.state === 'done' && old.subject === job.subject) {
        this._dismissed.add(old.id);
      }
    }
    this._put([job, ...this._rows.map(row => row.job)]);
    await this._poll.refresh();
  }

  /** Call a job off; it rolls back what it did and its row says so. */
  async cancel(id: string): Promise<void> {
    try {
      await this._client.cancelJob(id);
    } catch (error) {
      this.notices.add(asPackagerError(error, this._trans));
    }
    await this._poll.refresh();
  }

  /** Take an ended job out of the list. */
  dismiss(id: string): void {
    this._dismissed.add(id);
    this._put(this._rows.map(row => row.job));
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._poll.dispose();
      Signal.clearData(this);
      super.dispose();
    }
  }

  private get _isRunning(): boolean {
    return this._rows.some(row => row.job.state === 'running');
  }

  private async _read(): Promise<void> {
    const jobs = await this._client.jobs();
    this._put(jobs);
  }

  private _put(jobs: readonly IJob[]): void {
    const now = Date.now() / 1000;
    const ended: IJob[] = [];
    const rows: IJobRow[] = [];
    for (const job of jobs) {
      if (job.state === 'running') {
        this._seen.add(job.id);
      } else if (this._seen.has(job.id) && !this._ended.has(job.id)) {
        // Short work may have ended before it was seen running.
        this._ended.add(job.id);
        ended.push(job);
      }
      if (this._seen.has(job.id) && !this._dismissed.has(job.id)) {
        rows.push({ job, filesPerS: rate(job, job.ended_s ?? now) });
      }
    }
    this._rows = rows;
    this.stateChanged.emit();
    for (const job of ended) {
      this._jobEnded.emit(job);
    }
  }

  private _client: IPackagerClient;
  private _trans: TranslationBundle;
  private _poll: Poll;
  private _rows: IJobRow[] = [];
  private _seen = new Set<string>();
  private _dismissed = new Set<string>();
  private _ended = new Set<string>();
  private _jobEnded = new Signal<this, IJob>(this);
}

/** Files a second since the job began. */
function rate(job: IJob, nowS: number): number | null {
  const passedS = nowS - job.started_s;
  return job.files > 0 && passedS >= 1 ? job.files / passedS : null;
}
