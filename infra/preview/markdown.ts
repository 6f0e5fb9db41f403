/** Changes as the Markdown of a pull request's comment. Pure. */
import { stripVTControlCharacters } from "node:util";
import { engineWords } from "../pulumi/pieces.ts";
import { humanSize } from "../table.ts";
import type { Changes, CommandChange, LayerChange, ResourceChange } from "./changes.ts";
import { duration, headline, type Quoting, reasonWords, sendWords, timeWords } from "./words.ts";

/** GitHub takes 65536 characters, of all of these together; what is cut off is in the engine's own output. */
const LONGEST_ERROR = 20_000;
const MOST_ROWS = 60;
const LONGEST_CELL = { layer: 1_000, other: 400 };

/** The first line: by it the workflow's next run finds its comment again. */
export function marker(stack: string): string {
  return `<!-- preview of stack ${stack} -->`;
}

/** `foot`: what the text was made from; by which engine is added to it. */
export function changesMarkdown(changes: Changes, foot: string): string {
  const parts = changes.errors.length > 0 ? failure(changes) : [title(changes, headline(changes)), picture(changes), facts(changes), layerTable(changes), otherTable(changes)];
  return `${[marker(changes.stack), ...parts, `<sub>${foot} · Engine: ${engineWords(changes.engine)}</sub>`].filter((part) => part !== "").join("\n\n")}\n`;
}

function title({ stack }: Changes, words: string): string {
  return `### Preview of stack \`${stack}\`: ${words}`;
}

function failure(changes: Changes): string[] {
  const text = stripVTControlCharacters(changes.errors.join("\n\n"));
  const shown = text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR)}\n… (cut off)` : text;
  // A fence must be longer than any that the text itself has.
  const fence = "`".repeat(Math.max(3, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
  return [title(changes, "failed"), `${fence}\n${shown}\n${fence}`];
}

const quoting: Quoting = { name: code, arrow: "→" };

function facts(changes: Changes): string {
  const known = [["Time", timeWords(changes, quoting.name)], ["Sends", sendWords(changes, quoting.name)]].filter(([, words]) => words !== "");
  return known.map(([name, words]) => `- ${name}: ${words}`).join("\n");
}

/** Of one meaning on a light and on a dark page: each fill brings its own colour of text. */
const CLASSES = ["  classDef runs fill:#9a6700,stroke:#633c01,color:#ffffff,stroke-width:2px", "  classDef stays fill:#eaeef2,stroke:#8c959f,color:#424a53"];

/** The layers as they stand on each other, the lowest at the bottom, as GitHub draws it (mermaid). */
function picture({ layers, publish }: Changes): string {
  if (layers.length === 0 || publish === null) return "";
  const tops = layers.filter(({ layer, blob }) => blob && !layers.some((above) => above.blob && above.waitsFor.includes(layer)));
  const nodes = layers.map((layer) => node(nodeId(layer.layer), layer.layer, layer));
  const edges = layers.flatMap((layer) => layer.waitsFor.map((below) => `  ${nodeId(below)} ${belowIsPart(layers, below) ? "-->" : "-.->"} ${nodeId(layer.layer)}`));
  const last = [node("publish", "publish", publish), ...tops.map(({ layer }) => `  ${nodeId(layer)} --> publish`)];
  return ["```mermaid", "flowchart BT", ...nodes, ...edges, ...last, ...CLASSES, "```"].join("\n");
}

/** A layer that is no part of the image is only waited for: a dotted line. */
function belowIsPart(layers: readonly LayerChange[], below: string): boolean {
  return layers.some(({ layer, blob }) => layer === below && blob);
}

/** `end` and the like are words of mermaid's own. */
function nodeId(layer: string): string {
  return `n-${layer.replace(/[^A-Za-z0-9-]/g, "-")}`;
}

function node(id: string, name: string, { runs, effect, last }: CommandChange): string {
  const took = runs && last !== null ? `, ${duration(last.seconds)}` : "";
  return `  ${id}["${name}<br/>${effect}${took}"]:::${runs ? "runs" : "stays"}`;
}

function layerTable({ layers, publish }: Changes): string {
  const rows = [...layers.map((layer) => commandCells(layer.layer, layer)), ...(publish === null ? [] : [commandCells("publish", publish)])];
  return table(["layer", "", "last time", "size", "because"], rows);
}

function commandCells(name: string, command: CommandChange): string[] {
  const { runs, effect, last } = command;
  const [seconds, size] = last === null ? ["", ""] : [duration(last.seconds), last.bytes === 0 ? "" : humanSize(last.bytes)];
  return [name, runs ? `**${effect}**` : "–", seconds, size, cell(reasonWords(command, quoting), LONGEST_CELL.layer)];
}

function otherTable({ others }: Changes): string {
  if (others.length === 0) return "";
  const rows = others.slice(0, MOST_ROWS).map((other) => [code(other.resource), code(other.type), `**${other.effect}**${other.grave ? " ⚠️" : ""}`, cell(otherReasons(other), LONGEST_CELL.other)]);
  const more = others.length > MOST_ROWS ? `\n\n… and ${others.length - MOST_ROWS} more, in the whole output` : "";
  return table(["resource", "type", "", "because"], rows) + more;
}

function otherReasons(other: ResourceChange): string[] {
  return [...reasonWords(other, quoting), ...(other.replacedFor.length > 0 ? [`replaced for ${other.replacedFor.map(code).join(", ")}`] : [])];
}

/** As many of the words as there is room for. */
function cell(words: readonly string[], longest: number): string {
  const fits = words.filter((_, at) => words.slice(0, at + 1).join("; ").length <= longest);
  const left = words.length - fits.length;
  return [...fits, ...(left === 0 ? [] : [`${left} more, in the whole output`])].join("; ");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"--|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** Text of the pull request's own making, as one code span in one cell: no markup, no mention, no end of the row. */
function code(text: string): string {
  return `\`${stripVTControlCharacters(text).replace(/[`|\r\n]/g, "?")}\``;
}
