/** Tables of a page, which scroll by themselves where they are too wide for a phone. */
import { html, type Html } from "./html.ts";

export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => string | Html;
  /** Aligned to the right. */
  readonly number?: boolean;
}

export function tableOf<T>(caption: string, columns: readonly Column<T>[], rows: readonly T[]): Html {
  const kind = ({ number = false }: Column<T>) => (number ? html` class="number"` : "");
  // To be reached by the keyboard, since it may scroll.
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col"${kind(column)}>${column.head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column) => html`<td${kind(column)}>${column.cell(row)}</td>`)}</tr>\n`)}</tbody></table></div>`;
}
