/** What the rows of feeds and tokens show. */

import { copyIcon, deleteIcon } from '@jupyterlab/ui-components';

import { exactDate, formatCount, formatDate, formatLeft } from '../format';
import { feedIcon, keyIcon } from '../icons';
import type { IFeedItem, ITokenItem } from '../model/registries';
import type { IRowContext } from './rows';
import type { IRowView } from './treeview';

/** A feed: how much it holds, and the line that installs from it. */
export function feedRow(
  item: IFeedItem,
  actions: { copy: () => void },
  context: IRowContext
): IRowView {
  const { trans } = context;
  const { feed } = item;
  return {
    kind: 'feed',
    icon: feedIcon,
    name: item.name,
    hint: feed.is_anonymous_read ? trans.__('open') : undefined,
    title: feed.is_anonymous_read
      ? trans.__('%1\nEverybody may read it.', feed.url)
      : trans.__('%1\nReading it needs a token.', feed.url),
    values: [
      {
        text: trans._n(
          '%2 project',
          '%2 projects',
          feed.projects,
          formatCount(feed.projects)
        ),
        title: ''
      }
    ],
    actions: [
      {
        icon: copyIcon,
        label: trans.__('Copy install line'),
        run: actions.copy
      }
    ]
  };
}

/** A token: what it may do, when it was used last and when it ends. */
export function tokenRow(
  item: ITokenItem,
  actions: { revoke: () => void },
  context: IRowContext
): IRowView {
  const { trans, nowS, locale } = context;
  const { token } = item;
  const scopes = token.scopes.join(', ');
  return {
    kind: 'token',
    icon: keyIcon,
    name: item.name,
    hint: token.description ? scopes : undefined,
    title: `${item.name}\n${scopes}`,
    values: [
      {
        text: token.last_used_s
          ? trans.__('used %1', formatDate(token.last_used_s, nowS, locale))
          : trans.__('not used'),
        title: token.last_used_s
          ? trans.__('Last used %1', exactDate(token.last_used_s))
          : trans.__('Not used yet')
      },
      {
        text: formatLeft(token.expires_s - nowS, trans),
        title: trans.__('Expires %1', exactDate(token.expires_s)),
        isSecondary: true
      }
    ],
    actions: [
      { icon: deleteIcon, label: trans.__('Revoke…'), run: actions.revoke }
    ]
  };
}
