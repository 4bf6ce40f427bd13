/** Errors and results that a section shows until they are dismissed. */

import type { PackagerError } from '../api/errors';

/** Something that a person should see: an error, or what came of long work. */
export interface INotice {
  readonly id: number;
  readonly error: PackagerError;
  /** What was tried, so that it can be tried again. */
  readonly retry: (() => Promise<void>) | null;
}

/** The notices of one section, oldest first; the same error twice is shown once. */
export class Notices {
  constructor(changed: () => void) {
    this._changed = changed;
  }

  get all(): readonly INotice[] {
    return this._notices;
  }

  add(error: PackagerError, retry: (() => Promise<void>) | null = null): void {
    this._notices = [
      ...this._notices.filter(
        notice =>
          notice.error.code !== error.code ||
          notice.error.message !== error.message
      ),
      { id: this._next++, error, retry }
    ];
    this._changed();
  }

  dismiss(id: number): void {
    this._notices = this._notices.filter(notice => notice.id !== id);
    this._changed();
  }

  private _changed: () => void;
  private _notices: INotice[] = [];
  private _next = 1;
}
