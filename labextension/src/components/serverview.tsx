import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import React from 'react';

import type { PackagerModel } from '../model/model';
import { Notice } from './notice';
import { Button, CopyLine } from './parts';
import type { IViewContext } from './view';

/** What stands above the sections: nothing, unless the server half needs mending. */
export class ServerView extends VDomRenderer<PackagerModel> {
  constructor(context: IViewContext) {
    super(context.model);
    this._trans = context.trans;
    this.addClass('jp-packager-server');
  }

  protected override render(): React.JSX.Element | null {
    const { model, _trans: trans } = this;
    const { server } = model;
    if (server.kind === 'checking') {
      return (
        <p className="jp-packager-quiet" role="status">
          {trans.__('Asking the server…')}
        </p>
      );
    }
    if (server.kind === 'broken') {
      return (
        <>
          <Notice
            error={server.error}
            trans={trans}
            actions={[
              { label: trans.__('Try again'), run: () => void model.start() }
            ]}
          />
          {server.command && (
            <CopyLine
              isWhole
              text={server.command}
              label={trans.__('Command that mends it')}
              trans={trans}
            />
          )}
        </>
      );
    }
    return model.isOutdated ? (
      <div className="jp-packager-hint" role="status">
        <span>
          {trans.__(
            'The server runs version %1 of Packager, this page another one.',
            server.status.version
          )}
        </span>
        <Button
          label={trans.__('Reload')}
          onClick={() => window.location.reload()}
        />
      </div>
    ) : null;
  }

  private _trans: TranslationBundle;
}
