import { printable } from './printable.ts';

/** One column of a table: its heading and what stands in it for a row. */
export interface Column<Row> {
  readonly heading: string;
  readonly value: (row: Row) => string;
}

/** Lines of text up to this width are shown whole; ids are never cut. */
const GAP = '  ';

/** A table for people; an empty one says so. */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  empty: string,
): string {
  if (rows.length === 0) return `${empty}\n`;
  const cells = [
    columns.map(({ heading }) => heading),
    ...rows.map((row) => columns.map(({ value }) => printable(value(row)))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => (line[index] ?? '').length)));
  return cells
    .map(
      (line) =>
        `${line
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join(GAP)
          .trimEnd()}\n`,
    )
    .join('');
}

/** One thing's properties, a line each; lists take a line an item. */
export function formatProperties(
  properties: readonly (readonly [name: string, value: string | readonly string[]])[],
): string {
  const width = Math.max(...properties.map(([name]) => name.length));
  return properties
    .flatMap(([name, value]) => {
      const lines = typeof value === 'string' ? [value] : value.length === 0 ? ['–'] : value;
      return lines.map(
        (line, index) => `${(index === 0 ? name : '').padEnd(width)}${GAP}${printable(line)}\n`,
      );
    })
    .join('');
}
