/**
 * Numbers and dates as people read them, each with its exact form for tooltips and screen readers.
 */

import type { TranslationBundle } from '@jupyterlab/translation';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const DAY_S = 86_400;
const HOUR_S = 3_600;
const MINUTE_S = 60;

/** Control characters, and those that turn the direction of text. */
const UNSEEN = /\p{Cc}|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A count with its thousands apart. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** Bytes in decimal units with at most three digits: `999 B`, `1.2 kB`, `3.2 GB`. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  // 999.5 of a unit would be written as 1000 of it.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  const number = value.toFixed(digits).replace(/\.0$/, '');
  return `${number} ${UNITS[unit]}`;
}

/** Bytes in full: `1,234 bytes`. */
export function exactSize(sizeBytes: number, trans: TranslationBundle): string {
  return trans._n('%2 byte', '%2 bytes', sizeBytes, formatCount(sizeBytes));
}

/** A count of files: `1,507 files`. */
export function countFiles(files: number, trans: TranslationBundle): string {
  return trans._n('%2 file', '%2 files', files, formatCount(files));
}

/** A date as short as it can be: `2 May` in this year, `May 2023` before. */
export function formatDate(
  seconds: number,
  nowS: number,
  locale: string
): string {
  const date = new Date(seconds * 1000);
  const isThisYear = date.getFullYear() === new Date(nowS * 1000).getFullYear();
  return new Intl.DateTimeFormat(locale, {
    month: 'short',
    ...(isThisYear ? { day: 'numeric' } : { year: 'numeric' })
  }).format(date);
}

/** A moment in full, in UTC: `2026-05-02 09:30:00 UTC`. */
export function exactDate(seconds: number): string {
  return new Date(seconds * 1000)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** How long something still lasts, rounded: `6 days`, `3 hours`, `12 minutes`. */
export function formatLeft(leftS: number, trans: TranslationBundle): string {
  if (leftS >= 2 * DAY_S) {
    return trans.__('%1 days', Math.round(leftS / DAY_S));
  }
  if (leftS >= 2 * HOUR_S) {
    return trans.__('%1 hours', Math.round(leftS / HOUR_S));
  }
  const minutes = Math.max(1, Math.round(leftS / MINUTE_S));
  return trans._n('%1 minute', '%1 minutes', minutes);
}

/** The language of the interface as `Intl` wants it. */
export function localeOf(languageCode: string): string {
  const tag = languageCode.replace('_', '-');
  try {
    return Intl.DateTimeFormat.supportedLocalesOf([tag])[0] ?? 'en-GB';
  } catch (error) {
    if (error instanceof RangeError) {
      return 'en-GB';
    }
    throw error;
  }
}

/** A digest that fits a row; the whole one stands in the tooltip. */
export function shortDigest(digest: string): string {
  const [algorithm, hex] = digest.split(':', 2);
  return hex ? `${algorithm}:${hex.slice(0, 8)}…` : digest;
}

/**
 * A name with what cannot be seen made visible: control characters and those that turn the
 * direction of text as their code, and a name of nothing as a slash.
 */
export function visibleName(name: string): string {
  const code = (char: string): string =>
    char.charCodeAt(0).toString(16).padStart(4, '0');
  return name.replace(UNSEEN, char => `‹${code(char)}›`) || '/';
}

/** A version as people say it: `v3` for numbers, others as they are. */
export function versionName(version: string): string {
  return /^\d/.test(version) ? `v${version}` : version;
}
