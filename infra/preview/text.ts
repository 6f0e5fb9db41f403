/** Changes for a terminal. */
import { fittedTable, wrapped } from "../fitted-table.ts";
import { engineWords } from "../pulumi/pieces.ts";
import { humanSize, type Style } from "../table.ts";
import type { Changes, CommandChange } from "./changes.ts";
import { headline, type Quoting, reasonWords, sendWords, timeWords } from "./words.ts";

export interface Screen {
  readonly style: Style;
  /** Columns. */
  readonly width: number;
}

const plain: Quoting = { name: (text) => text, arrow: "→" };

export function changesText(changes: Changes, screen: Screen): string {
  const { bold, dim } = screen.style;
  const facts = [["Time", timeWords(changes, plain.name)], ["Sends", sendWords(changes, plain.name)]].filter(([, words]) => words !== "") as [string, string][];
  const parts = [
    wrapped(`Stack ${changes.stack}: ${headline(changes)}`, screen.width).map(bold).join("\n"),
    layerTable(changes, screen),
    facts.length === 0 ? "" : fittedTable(facts.map(([name, words]) => [bold(name), words]), { width: screen.width }),
    otherTable(changes, screen),
    wrapped(`Engine: ${engineWords(changes.engine)}`, screen.width).map(dim).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function layerTable({ layers, publish }: Changes, { style, width }: Screen): string {
  const rows = [...layers.map((layer) => commandCells(layer.layer, layer, style)), ...(publish === null ? [] : [commandCells("publish", publish, style)])];
  return fittedTable([["LAYER", "", "LAST TIME", "SIZE", "BECAUSE"].map(style.bold), ...rows], { width, right: [2, 3] });
}

function commandCells(name: string, command: CommandChange, style: Style): string[] {
  const { runs, effect, last } = command;
  const size = last === null || last.bytes === 0 ? "-" : humanSize(last.bytes);
  return [name, runs ? style.yellow(effect) : style.dim(effect), last === null ? "-" : `${last.seconds.toFixed(1)} s`, size, reasonWords(command, plain).join("\n")];
}

function otherTable({ others }: Changes, { style, width }: Screen): string {
  if (others.length === 0) return "";
  const rows = others.map((other) => {
    const because = [...reasonWords(other, plain), ...(other.replacedFor.length > 0 ? [`replaced for ${other.replacedFor.join(", ")}`] : [])];
    return [other.resource, other.grave ? style.red(style.bold(other.effect)) : style.yellow(other.effect), other.type, because.join("\n")];
  });
  return fittedTable([["OTHER RESOURCE", "", "TYPE", "BECAUSE"].map(style.bold), ...rows], { width });
}
