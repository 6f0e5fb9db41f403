/** A preview as the Markdown of a pull request's comment. Pure: all of it is decided by the arguments. */
import { stripVTControlCharacters } from "node:util";
import { type Reasons, reasonsOf } from "../preview/reasons.ts";
import type { Preview, Row } from "../preview/steps.ts";

export interface CommentFacts {
  readonly stack: string;
  /** The revision that was previewed. */
  readonly commit: string;
  /** The run of the workflow, for whoever wants the whole output. */
  readonly runUrl: string;
  /** Names of the layers' commands, in the image's order: RESOURCE by ATTR. */
  readonly layers: ReadonlyMap<string, string>;
  readonly preview: Preview;
}

/** GitHub takes 65536 characters; what is cut off is in the run's log. */
const LONGEST_ERROR = 20_000;
const MOST_ROWS = 100;
const MOST_NAMES = 8;

/** The first line of the comment: by it the next run finds the comment again. */
export function marker(stack: string): string {
  return `<!-- preview of stack ${stack} -->`;
}

export function previewComment(facts: CommentFacts): string {
  const { stack, preview } = facts;
  const parts = preview.errors.length > 0 ? failure(facts) : [headline(facts), layerTable(facts), otherTable(facts)];
  const foot = `<sub>\`pulumi preview --diff\` of stack \`${stack}\` at ${facts.commit.slice(0, 12)} · [whole output](${facts.runUrl})</sub>`;
  return `${[marker(stack), ...parts, foot].filter((part) => part !== "").join("\n\n")}\n`;
}

function failure({ stack, preview }: CommentFacts): string[] {
  const text = stripVTControlCharacters(preview.errors.join("\n\n"));
  const shown = text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR)}\n… (cut off)` : text;
  // A fence must be longer than any that the text itself has.
  const fence = "`".repeat(Math.max(3, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
  return [`### Preview of stack \`${stack}\`: failed`, `${fence}\n${shown}\n${fence}`];
}

function headline(facts: CommentFacts): string {
  const { stack, layers, preview } = facts;
  const running = [...layers.values()].filter((name) => preview.rows.has(name)).length;
  const others = otherRows(facts).length;
  if (running + others === 0) return `### Preview of stack \`${stack}\`: nothing to do`;
  const rest = others === 0 ? "" : `, and ${others} other ${others === 1 ? "resource" : "resources"}`;
  return `### Preview of stack \`${stack}\`: ${running} of ${layers.size} layers ${running === 1 ? "runs" : "run"}${rest}`;
}

function layerTable({ layers, preview }: CommentFacts): string {
  const rows = [...layers].map(([attr, name]) => {
    const row = preview.rows.get(name);
    return row === undefined ? [attr, "–", ""] : [attr, `**${happens(row)}**`, because(row)];
  });
  return table(["layer", "", "because"], rows);
}

/** What is neither a layer nor a mere group of resources. */
function otherRows({ layers, preview }: CommentFacts): Row[] {
  const known = new Set(layers.values());
  return [...preview.rows.values()].filter(({ name, custom }) => custom && !known.has(name));
}

function otherTable(facts: CommentFacts): string {
  const rows = otherRows(facts);
  if (rows.length === 0) return "";
  const shown = rows.slice(0, MOST_ROWS).map((row) => [code(row.name), code(row.type), `**${happens(row)}**`, because(row)]);
  const more = rows.length > MOST_ROWS ? `\n\n… and ${rows.length - MOST_ROWS} more, in the whole output` : "";
  return table(["resource", "type", "", "because"], shown) + more;
}

/** What the engine calls a step, as what happens to the resource; steps that are not here are shown by their own name. */
const happening: Readonly<Record<string, string>> = {
  create: "runs for the first time",
  update: "runs",
  replace: "is replaced",
  "create-replacement": "is replaced",
  "delete-replaced": "is replaced",
  delete: "is removed",
};

function happens({ op, type }: Row): string {
  const isCommand = type.startsWith("command:");
  if (!isCommand && (op === "create" || op === "update")) return `${op}d`;
  return happening[op] ?? op;
}

function because(row: Row): string {
  const { files, below, settings }: Reasons = reasonsOf(row);
  const named = files.map(({ file, how }) => (how === "changed" ? code(file) : `${code(file)} (${how})`));
  const parts = [listed(named, "files"), below.length > 0 ? `on ${listed(below.map(code), "layers")}` : "", listed(settings.map(code), "settings")];
  return parts.filter((part) => part !== "").join("; ");
}

function listed(names: readonly string[], what: string): string {
  const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more ${what}` : "";
  return names.slice(0, MOST_NAMES).join(", ") + more;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"--|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** Text of the pull request's own making, as one code span in one cell: no markup, no mention, no end of the row. */
function code(text: string): string {
  return `\`${stripVTControlCharacters(text).replace(/[`|\r\n]/g, "?")}\``;
}
