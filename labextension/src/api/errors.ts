import type { TranslationBundle } from '@jupyterlab/translation';

import type { IErrorBody } from './types';

/**
 * A failure that a person can read: a sentence, what to do about it, and technical text to fold
 * away. Built from the server's one error shape, or by us where no server of ours answered.
 */
export class PackagerError extends Error {
  constructor(body: IErrorBody, status = 0) {
    super(body.message);
    this.name = 'PackagerError';
    this.code = body.code;
    this.remedy = body.remedy;
    this.details = body.details ?? null;
    this.status = status;
  }

  readonly code: string;
  readonly remedy: string;
  readonly details: string | null;
  /** HTTP status; 0 when nothing answered. */
  readonly status: number;
}

/** No connected source holds the address that somebody wants to go to. */
export class NoSourceError extends PackagerError {
  constructor(
    readonly address: string,
    trans: TranslationBundle
  ) {
    super({
      code: 'no_source_holds',
      message: trans.__('No connected source holds %1.', address),
      remedy: trans.__('Connect the storage that it is in, then jump.')
    });
  }
}

/** Whether `value` has the error shape of the API. */
export function isErrorBody(value: unknown): value is IErrorBody {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const body = value as Record<string, unknown>;
  return (
    typeof body.code === 'string' &&
    typeof body.message === 'string' &&
    typeof body.remedy === 'string'
  );
}

/** The Jupyter server did not answer at all. */
export function unreachable(
  trans: TranslationBundle,
  cause: unknown
): PackagerError {
  return new PackagerError({
    code: 'server_unreachable',
    message: trans.__('The Jupyter server did not answer.'),
    remedy: trans.__(
      'Check that it still runs and that you are connected, then try again.'
    ),
    details: cause instanceof Error ? cause.message : String(cause)
  });
}

/** Something answered, but it was not the server half of this extension. */
export function notOurs(
  trans: TranslationBundle,
  status: number,
  statusText: string
): PackagerError {
  if (status === 404) {
    return new PackagerError(
      {
        code: 'server_missing',
        message: trans.__(
          'The server half of Packager is not running in this Jupyter server.'
        ),
        remedy: trans.__(
          'Run the command below where the Jupyter server runs, then restart it.'
        )
      },
      status
    );
  }
  if (status === 401 || status === 403) {
    return new PackagerError(
      {
        code: 'not_signed_in',
        message: trans.__('The Jupyter server no longer knows who you are.'),
        remedy: trans.__('Reload this page and sign in again.'),
        details: `HTTP ${status} ${statusText}`
      },
      status
    );
  }
  return new PackagerError(
    {
      code: 'answer_not_understood',
      message: trans.__('The answer of the Jupyter server makes no sense.'),
      remedy: trans.__(
        'Try again; if it stays so, look into the log of the Jupyter server.'
      ),
      details: `HTTP ${status} ${statusText}`
    },
    status
  );
}

/** Turn anything thrown into the one kind of error that the sidebar shows. */
export function asPackagerError(
  error: unknown,
  trans: TranslationBundle
): PackagerError {
  if (error instanceof PackagerError) {
    return error;
  }
  return new PackagerError({
    code: 'sidebar_error',
    message: trans.__('The sidebar failed in a way that it did not expect.'),
    remedy: trans.__('Try again; reload the page if it stays so.'),
    details: error instanceof Error ? error.message : String(error)
  });
}

/** Whether `error` only says that we ourselves called the request off. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
