/** A table that is never wider than the terminal: cells are wrapped, the last columns first. */
import { stripVTControlCharacters } from "node:util";
import { table } from "./table.ts";

export interface Fit {
  /** Columns of the terminal. */
  readonly width: number;
  /** Table columns that are aligned to the right. Default: none. */
  readonly right?: readonly number[];
}

const GAP = 2;
/** No column gets narrower than this to make room for others; the last one takes what is left. */
const NARROWEST = 12;

/** Cells may have several lines. A cell that is wrapped loses its colours only where it is cut: cells with colours are short. */
export function fittedTable(rows: readonly (readonly string[])[], { width, right = [] }: Fit): string {
  const widths = fitted(naturalWidths(rows), width);
  const lines = rows.flatMap((row) => linesOf(row.map((cell, at) => wrapped(cell, widths[at] as number))));
  return table(lines, right);
}

const shown = (text: string): number => stripVTControlCharacters(text).length;

function naturalWidths(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, at) => Math.max(...rows.flatMap((row) => (row[at] ?? "").split("\n").map(shown))));
}

/** Takes what is too much from the last column, then from the one before it, and so on. */
function fitted(natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  let over = widths.reduce((sum, each) => sum + each, GAP * (widths.length - 1)) - width;
  for (let at = widths.length - 1; at >= 0 && over > 0; at--) {
    const taken = Math.min(over, Math.max(0, (widths[at] as number) - NARROWEST));
    widths[at] = (widths[at] as number) - taken;
    over -= taken;
  }
  return widths;
}

/** The lines of a text, none longer than the width. Breaks at spaces, within a longer word behind a slash, and anywhere where there is neither. */
export function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    if (shown(line) <= width) return [line];
    const lines: string[] = [];
    let rest = stripVTControlCharacters(line);
    while (rest.length > width) {
      const end = breakOf(rest, width);
      lines.push(rest.slice(0, end).trimEnd());
      rest = rest.slice(end).trimStart();
    }
    return [...lines, rest];
  });
}

function breakOf(text: string, width: number): number {
  const space = text.lastIndexOf(" ", width);
  if (space > 0) return space;
  const slash = text.lastIndexOf("/", width - 1);
  return slash > 0 ? slash + 1 : width;
}

function linesOf(cells: readonly (readonly string[])[]): string[][] {
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, at) => cells.map((lines) => lines[at] ?? ""));
}
