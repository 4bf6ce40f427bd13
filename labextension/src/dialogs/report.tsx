import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon } from '@jupyterlab/ui-components';
import React from 'react';

import type { ISourceReport } from '../api/types';
import { warningIcon } from '../icons';

/** Show what testing a source found: each check, and what to do about it. */
export async function showReport(
  report: ISourceReport,
  trans: TranslationBundle
): Promise<void> {
  await showDialog({
    title: report.is_ok
      ? trans.__('Source %1 works', report.name)
      : trans.__('Source %1 does not work', report.name),
    body: (
      <ul className="jp-packager-checks">
        {report.checks.map(check => {
          const Icon = check.is_ok ? checkIcon : warningIcon;
          return (
            <li key={check.what} data-ok={check.is_ok}>
              <Icon.react
                tag="span"
                className="jp-packager-row-icon"
                title={check.is_ok ? trans.__('works') : trans.__('fails')}
              />
              <div>
                <strong>{check.what}</strong>
                <div>{check.message}</div>
                {check.remedy && (
                  <div className="jp-packager-notice-remedy">
                    {check.remedy}
                  </div>
                )}
              </div>
            </li>
          );
        })}
      </ul>
    ),
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}
