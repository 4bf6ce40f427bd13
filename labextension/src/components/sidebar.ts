/** The sidebar: a title, one accordion section per noun, and running work below them. */

import type { ITranslator } from '@jupyterlab/translation';
import { PanelWithToolbar, SidePanel } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { MessageLoop } from '@lumino/messaging';
import type { AccordionPanel, PanelLayout } from '@lumino/widgets';
import { Widget } from '@lumino/widgets';

import { SIDEBAR_ID } from '../commands/general';
import { packagerIcon } from '../icons';
import { JobsView } from './jobsview';
import { PackagesView } from './packagesview';
import { RegistriesView } from './registriesview';
import { ServerView } from './serverview';
import { SharesView } from './sharesview';
import { SourcesView } from './sourcesview';
import type { IViewContext } from './view';

/** Shares of the height that the sections begin with. */
const SECTION_SIZES = [5, 4, 2, 2];

/** The widget on the left. */
export class PackagerSidebar extends SidePanel {
  constructor(context: IViewContext, translator: ITranslator) {
    super({ translator });
    const { trans, model } = context;
    this._context = context;
    this.id = SIDEBAR_ID;
    this.addClass('jp-packager-sidebar');
    this.title.icon = packagerIcon;
    this.title.caption = trans.__(
      'Packager: sources, packages, shares and registries'
    );
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Packager'));
    const layout = this.layout as PanelLayout;
    layout.insertWidget(0, new ServerView(context));
    this.sources = this._section(trans.__('Sources'), new SourcesView(context));
    this.packages = this._section(
      trans.__('Packages'),
      new PackagesView(context)
    );
    this.shares = this._section(trans.__('Shares'), new SharesView(context));
    this.registries = this._section(
      trans.__('Registries'),
      new RegistriesView(context)
    );
    (this.content as AccordionPanel).setRelativeSizes(SECTION_SIZES);
    layout.addWidget(new JobsView(context));
    // What stands above and below the sections comes and goes: they share what is left.
    this._observer = new ResizeObserver(() => {
      MessageLoop.postMessage(this.content, Widget.ResizeMessage.UnknownSize);
    });
    this._observer.observe(this.content.node);
    model.stateChanged.connect(this._onServer, this);
    this._onServer();
  }

  /** The section of the sources; its toolbar is filled from the settings, like the others'. */
  readonly sources: PanelWithToolbar;

  readonly packages: PanelWithToolbar;

  readonly shares: PanelWithToolbar;

  readonly registries: PanelWithToolbar;

  override dispose(): void {
    this._observer.disconnect();
    super.dispose();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    // A restored layout attaches the sidebar as it was: shown, perhaps.
    if (this.isVisible) {
      this._show();
    }
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._show();
  }

  /** The first time, ask who is there; later, see what others have changed meanwhile. */
  private _show(): void {
    const { model } = this._context;
    if (this._isStarted) {
      void model.refresh();
    } else {
      this._isStarted = true;
      void model.start();
    }
  }

  private _section(title: string, view: Widget): PanelWithToolbar {
    const panel = new PanelWithToolbar();
    panel.addClass('jp-packager-section');
    panel.title.label = title;
    panel.addWidget(view);
    this.addWidget(panel);
    return panel;
  }

  /** Without a server half the sections would be empty and say nothing about it. */
  private _onServer(): void {
    this.content.setHidden(this._context.model.server.kind !== 'ready');
  }

  private _context: IViewContext;
  private _observer: ResizeObserver;
  private _isStarted = false;
}
