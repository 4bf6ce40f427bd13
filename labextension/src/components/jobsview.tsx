import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer, closeIcon } from '@jupyterlab/ui-components';
import React from 'react';

import { CommandIDs } from '../commands/ids';
import { PackagerError } from '../api/errors';
import type { IJob } from '../api/types';
import {
  countFiles,
  exactSize,
  formatCount,
  formatSize,
  shortDigest,
  versionName
} from '../format';
import type { IJobRow, JobsModel } from '../model/jobs';
import { Notice } from './notice';
import { Button, NoticeList } from './parts';
import type { IViewContext } from './view';

/** Long work, one row each, below the sections. */
export class JobsView extends VDomRenderer<JobsModel> {
  constructor(context: IViewContext) {
    super(context.model.jobs);
    this._context = context;
    this._trans = context.trans;
    this.addClass('jp-packager-jobs');
  }

  protected override render(): React.JSX.Element {
    const { model, _trans: trans } = this;
    return (
      <>
        <NoticeList notices={model.notices} trans={trans} />
        {model.rows.map(row => (
          <React.Fragment key={row.job.id}>
            {this._renderJob(row)}
          </React.Fragment>
        ))}
      </>
    );
  }

  private _renderJob({ job, filesPerS }: IJobRow): React.JSX.Element {
    const { model, _trans: trans } = this;
    if (job.state === 'failed' && job.error) {
      return (
        <Notice
          error={new PackagerError(job.error)}
          trans={trans}
          onDismiss={() => model.dismiss(job.id)}
        />
      );
    }
    const isRunning = job.state === 'running';
    return (
      <div className="jp-packager-job" data-state={job.state}>
        <div className="jp-packager-job-title" role="status">
          {jobTitle(job, trans)}
        </div>
        {isRunning && (
          <progress
            aria-label={jobTitle(job, trans)}
            max={job.total_files ?? undefined}
            value={job.total_files ? job.files : undefined}
          />
        )}
        <div
          className="jp-packager-job-numbers"
          title={exactSize(job.bytes, trans)}
        >
          {jobNumbers(job, filesPerS, trans)}
        </div>
        {isRunning ? (
          <Button
            label={trans.__('Cancel')}
            onClick={() => this._run(CommandIDs.cancelJob, { id: job.id })}
          />
        ) : (
          <>
            {job.kind === 'publish' && job.state === 'done' && (
              <Button
                isPrimary
                label={trans.__('Share…')}
                onClick={() =>
                  this._run(CommandIDs.share, { name: job.subject })
                }
              />
            )}
            <button
              type="button"
              className="jp-packager-iconButton"
              title={trans.__('Dismiss')}
              aria-label={trans.__('Dismiss')}
              onClick={() => model.dismiss(job.id)}
            >
              <closeIcon.react tag="span" />
            </button>
          </>
        )}
      </div>
    );
  }

  private _run(command: string, args: Record<string, string>): void {
    void this._context.commands.execute(command, args);
  }

  private _context: IViewContext;
  private _trans: TranslationBundle;
}

function jobTitle(job: IJob, trans: TranslationBundle): string {
  const name = job.subject;
  const isPublish = job.kind === 'publish';
  switch (job.state) {
    case 'running':
      return isPublish
        ? trans.__('Publishing %1', name)
        : trans.__('Adding to %1', name);
    case 'cancelled':
      return isPublish
        ? trans.__('Cancelled: %1 was not published', name)
        : trans.__('Cancelled: nothing was added to %1', name);
    default:
      return isPublish
        ? trans.__('Published %1 %2', name, versionName(text(job, 'version')))
        : trans.__('Added to %1', name);
  }
}

/** Files, bytes and how fast; after publishing, the digest. */
function jobNumbers(
  job: IJob,
  filesPerS: number | null,
  trans: TranslationBundle
): string {
  if (job.state === 'done' && job.kind === 'publish') {
    return shortDigest(text(job, 'digest'));
  }
  const parts = [countFiles(job.files, trans), formatSize(job.bytes)];
  if (job.state === 'done' && job.kind === 'add') {
    parts.splice(0, 2, ...addedNumbers(job, trans));
  }
  if (job.state === 'running' && filesPerS !== null) {
    parts.push(trans.__('%1 files/s', formatCount(Math.round(filesPerS))));
  }
  return parts.join(' · ');
}

/** What adding came to: new, replaced, unchanged. */
function addedNumbers(job: IJob, trans: TranslationBundle): string[] {
  const added = number(job, 'files_added');
  const replaced = number(job, 'files_replaced');
  const unchanged = number(job, 'files_unchanged');
  const parts = [
    trans.__(
      '%1 · %2',
      countFiles(added, trans),
      formatSize(number(job, 'bytes_added'))
    )
  ];
  if (replaced > 0) {
    parts.push(trans.__('%1 replaced', formatCount(replaced)));
  }
  if (unchanged > 0) {
    parts.push(trans.__('%1 there already', formatCount(unchanged)));
  }
  return parts;
}

function text(job: IJob, field: string): string {
  const value = job.result?.[field];
  return typeof value === 'string' ? value : '';
}

function number(job: IJob, field: string): number {
  const value = job.result?.[field];
  return typeof value === 'number' ? value : 0;
}
