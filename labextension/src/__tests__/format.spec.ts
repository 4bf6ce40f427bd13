import {
  countFiles,
  exactDate,
  exactSize,
  formatDate,
  formatLeft,
  formatSize,
  localeOf,
  shortDigest,
  versionName,
  visibleName
} from '../format';
import { trans } from './helpers';

describe('numbers', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [1234, '1.2 kB'],
    [12_345, '12.3 kB'],
    [99_949, '99.9 kB'],
    [99_951, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1 MB'],
    [3_200_000_000, '3.2 GB'],
    [8.1e12, '8.1 TB']
  ])('%d bytes read %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('are exact where they are asked to be', () => {
    expect(exactSize(1234567, trans)).toBe('1,234,567 bytes');
    expect(exactSize(1, trans)).toBe('1 byte');
    expect(countFiles(1507, trans)).toBe('1,507 files');
    expect(countFiles(1, trans)).toBe('1 file');
  });
});

describe('dates', () => {
  const now = Date.UTC(2026, 4, 20) / 1000;

  it('leave the year out when it is this one', () => {
    const may = Date.UTC(2026, 4, 2, 12) / 1000;
    expect(formatDate(may, now, 'en-GB')).toBe('2 May');
    expect(formatDate(may - 3 * 366 * 86_400, now, 'en-GB')).toMatch(/2023$/);
  });

  it('are exact in tooltips', () => {
    expect(exactDate(1_700_000_000)).toBe('2023-11-14 22:13:20 UTC');
  });

  it('say how long something lasts', () => {
    expect(formatLeft(6 * 86_400 + 5, trans)).toBe('6 days');
    expect(formatLeft(3 * 3600 + 5, trans)).toBe('3 hours');
    expect(formatLeft(7 * 86_400 - 2, trans)).toBe('7 days');
    expect(formatLeft(70, trans)).toBe('1 minute');
  });

  it('take a language that Intl knows', () => {
    expect(localeOf('fr_FR')).toBe('fr-FR');
    expect(localeOf('default')).toBe('en-GB');
  });
});

describe('names', () => {
  it('show what cannot be seen', () => {
    expect(visibleName('a\nb')).toBe('a‹000a›b');
    expect(visibleName('a\u202egpj')).toBe('a‹202e›gpj');
    expect(visibleName('a\u007f\u0085')).toBe('a‹007f›‹0085›');
    expect(visibleName('')).toBe('/');
    expect(visibleName('größe 1+1#%&.csv')).toBe('größe 1+1#%&.csv');
  });

  it('of versions and digests are short', () => {
    expect(versionName('3')).toBe('v3');
    expect(versionName('first')).toBe('first');
    expect(shortDigest('sha256:9f2c44aa77')).toBe('sha256:9f2c44aa…');
  });
});
