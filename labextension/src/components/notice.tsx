import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { PackagerError } from '../api/errors';
import { warningIcon } from '../icons';

/** A button of a notice. */
export interface INoticeAction {
  readonly label: string;
  readonly run: () => void;
}

/** Properties of a notice. */
export interface INoticeProps {
  error: PackagerError;
  trans: TranslationBundle;
  actions?: readonly INoticeAction[];
  onDismiss?: () => void;
}

/** An error as a person reads it: a sentence, what to do, and the rest behind "Details". */
export function Notice(props: INoticeProps): React.JSX.Element {
  const { error, trans, actions = [], onDismiss } = props;
  return (
    <div className="jp-packager-notice" role="alert">
      <warningIcon.react tag="span" className="jp-packager-notice-icon" />
      <div className="jp-packager-notice-text">
        <div className="jp-packager-notice-message">{error.message}</div>
        <div className="jp-packager-notice-remedy">{error.remedy}</div>
        {error.details && (
          <details>
            <summary>{trans.__('Details')}</summary>
            <code>{error.details}</code>
          </details>
        )}
        {actions.length > 0 && (
          <div className="jp-packager-notice-actions">
            {actions.map(action => (
              <button
                key={action.label}
                type="button"
                className="jp-packager-button"
                onClick={action.run}
              >
                {action.label}
              </button>
            ))}
          </div>
        )}
      </div>
      {onDismiss && (
        <button
          type="button"
          className="jp-packager-iconButton"
          title={trans.__('Dismiss')}
          aria-label={trans.__('Dismiss')}
          onClick={onDismiss}
        >
          <closeIcon.react tag="span" />
        </button>
      )}
    </div>
  );
}
