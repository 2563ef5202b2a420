/** Items of a page unless the caller asks for fewer or more. */
const DEFAULT_LIMIT = 100;

/** How many rows to ask the database for: one more than the page has tells whether there is a next one. */
export function rowsToFetch(page: { readonly limit?: number | undefined }): number {
  return (page.limit ?? DEFAULT_LIMIT) + 1;
}

/** Cuts fetched rows into a page; `next` is the position of its last row, or null when that was all. */
export function toPage<Row, Item>(
  rows: readonly Row[],
  page: { readonly limit?: number | undefined },
  positionOf: (row: Row) => string,
  toItem: (row: Row) => Item,
): { items: Item[]; next: string | null } {
  const shown = rows.slice(0, page.limit ?? DEFAULT_LIMIT);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    next: rows.length > shown.length && last !== undefined ? positionOf(last) : null,
  };
}
