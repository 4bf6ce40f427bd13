import { LabIcon } from '@jupyterlab/ui-components';

import bucketSvg from '../style/icons/bucket.svg';
import cloudSvg from '../style/icons/cloud.svg';
import draftSvg from '../style/icons/draft.svg';
import feedSvg from '../style/icons/feed.svg';
import jumpSvg from '../style/icons/jump.svg';
import keySvg from '../style/icons/key.svg';
import linkSvg from '../style/icons/link.svg';
import lockSvg from '../style/icons/lock.svg';
import packagerSvg from '../style/icons/packager.svg';
import publishedSvg from '../style/icons/published.svg';
import versionSvg from '../style/icons/version.svg';
import warningSvg from '../style/icons/warning.svg';

function icon(name: string, svgstr: string): LabIcon {
  return new LabIcon({ name: `packager-jupyter:${name}`, svgstr });
}

export const packagerIcon = icon('packager', packagerSvg);
export const bucketIcon = icon('bucket', bucketSvg);
export const cloudIcon = icon('cloud', cloudSvg);
export const draftIcon = icon('draft', draftSvg);
export const feedIcon = icon('feed', feedSvg);
export const jumpIcon = icon('jump', jumpSvg);
export const keyIcon = icon('key', keySvg);
export const linkIcon = icon('link', linkSvg);
export const lockIcon = icon('lock', lockSvg);
export const publishedIcon = icon('published', publishedSvg);
export const versionIcon = icon('version', versionSvg);
export const warningIcon = icon('warning', warningSvg);
