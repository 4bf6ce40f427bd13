/**
 * Where rows stand in a list of which only the visible part is in the page.
 *
 * Every row has the same height, except a few tall ones that are measured. So positions are
 * arithmetic over the tall rows, however many rows there are.
 */

/** Height of an ordinary row in CSS pixels; the style sheet says the same. */
export const ROW_PX = 24;

/** Rows above and below the visible ones that are in the page too. */
export const OVERSCAN_ROWS = 8;

/** A row that is taller than the others. */
export interface ITallRow {
  readonly index: number;
  readonly heightPx: number;
}

/** Distance of a row from the top of the list. `tall` is sorted by index. */
export function topOf(index: number, tall: readonly ITallRow[]): number {
  let top = index * ROW_PX;
  for (const row of tall) {
    if (row.index >= index) {
      break;
    }
    top += row.heightPx - ROW_PX;
  }
  return top;
}

/** Height of one row. */
export function heightOf(index: number, tall: readonly ITallRow[]): number {
  return tall.find(row => row.index === index)?.heightPx ?? ROW_PX;
}

/** The row at a distance from the top of the list. */
export function indexAt(topPx: number, tall: readonly ITallRow[]): number {
  let extra = 0;
  for (const row of tall) {
    const top = row.index * ROW_PX + extra;
    if (topPx < top) {
      break;
    }
    if (topPx < top + row.heightPx) {
      return row.index;
    }
    extra += row.heightPx - ROW_PX;
  }
  return Math.floor((topPx - extra) / ROW_PX);
}

/** The rows to put into the page: the visible ones, some around them, and the active one. */
export function visibleRows(
  viewport: { topPx: number; heightPx: number },
  rowCount: number,
  tall: readonly ITallRow[],
  active: number
): { first: number; last: number; rows: number[] } {
  const first = Math.max(0, indexAt(viewport.topPx, tall) - OVERSCAN_ROWS);
  const bottom = viewport.topPx + viewport.heightPx;
  const last = Math.min(rowCount - 1, indexAt(bottom, tall) + OVERSCAN_ROWS);
  const rows: number[] = [];
  if (active >= 0 && active < first) {
    rows.push(active);
  }
  for (let index = first; index <= last; index++) {
    rows.push(index);
  }
  if (active > last && active < rowCount) {
    rows.push(active);
  }
  return { first, last, rows };
}
