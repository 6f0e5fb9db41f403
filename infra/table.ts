/** How figures and tables are written for people. */
import { stripVTControlCharacters } from "node:util";

export interface Style {
  bold(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  dim(text: string): string;
}

export function styleFor(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): Style {
  const colored = stream.isTTY === true && env["NO_COLOR"] === undefined && env["TERM"] !== "dumb";
  const wrap = (code: number) => (text: string) => (colored ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: wrap(1), red: wrap(31), yellow: wrap(33), dim: wrap(2) };
}

/** Decimal units, as registries and disks are sold. */
export function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  // 999.95 would be written 1000.0.
  while (value >= 999.95 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** The text, with its end cut off where it is longer than `width`. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** Columns as wide as their widest cell; those named in `right` are aligned to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const width = (text: string) => stripVTControlCharacters(text).length;
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => width(row[column] ?? "")))) ?? [];
  const cell = (text: string, column: number) => {
    const fill = " ".repeat((widths[column] ?? 0) - width(text));
    return right.includes(column) ? fill + text : text + fill;
  };
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
