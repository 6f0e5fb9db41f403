/** The results as Markdown: ratios first, then what stands behind each. */
import { CLAIMS } from "./claims.ts";
import { type Comparison, type Findings, type Goal, type Growth, median, meets, ratio, type Unit } from "./comparison.ts";

export interface Machine {
  readonly [what: string]: string;
}

const grouped = (value: number) => value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
const FIGURE: Readonly<Record<Unit, (value: number) => string>> = {
  s: (value) => `${value.toFixed(value < 10 ? 2 : 1)} s`,
  "MB/s": (value) => `${Math.round(value)} MB/s`,
  B: (value) => `${grouped(Math.round(value))} B`,
  requests: (value) => `${value}`,
};

/** Three digits that mean something. */
const times = (value: number) => `${value < 0.01 ? value.toPrecision(2) : value.toFixed(value < 0.1 ? 3 : 2)}×`;

function goalText(goal: Goal | undefined, unit: Unit): string {
  if (goal === undefined) return "–";
  const text = (value: number) => (goal.absolute ? FIGURE[unit](value) : `${value}×`);
  return goal.atMost !== undefined ? `≤ ${text(goal.atMost)}` : `≥ ${text(goal.atLeast as number)}`;
}

const verdict = (met: boolean | undefined) => ({ true: "met", false: "**missed**", undefined: "stated" })[`${met}`];
const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]) => [row(head), row(head.map(() => "--")), ...rows.map(row)].join("\n");

function comparisonRow(each: Comparison): string[] {
  const side = (figures: readonly number[]) => FIGURE[each.unit](median(figures));
  return [each.what, times(ratio(each)), goalText(each.goal, each.unit), verdict(meets(each)), side(each.ours.figures), side(each.theirs.figures), `${each.ours.figures.length}`];
}

function behind(each: Comparison): string {
  const side = (name: string, { command, figures }: Comparison["ours"]) => `- ${name}: \`${command.replaceAll("`", "")}\`\n  ${figures.map(FIGURE[each.unit]).join(", ")}`;
  return [`**${each.what}**`, "", side("ours", each.ours), side("against", each.theirs), ...(each.note ? [`- ${each.note}`] : [])].join("\n");
}

function growthSection(each: Growth): string {
  const cell = (value: number | string) => (typeof value === "string" || Number.isInteger(value) ? `${value}` : value.toFixed(value < 1 ? 3 : 1));
  return [`### Growth: ${each.what}`, "", tableOf(each.head, each.rows.map((cells) => cells.map(cell))), "", `Goal: ${each.goal}; ${verdict(each.met)}.${each.note ? ` ${each.note}` : ""}`].join("\n");
}

function claimRow(comparisons: readonly Comparison[]) {
  return ({ what, claimed, ours, remark }: (typeof CLAIMS)[number]): string[] => {
    const found = comparisons.find((each) => each.what === ours);
    return [what, claimed, found ? `${FIGURE[found.unit](median(found.ours.figures))}, ${times(ratio(found))}` : "–", remark];
  };
}

/** `quick`: said in the text, since its figures mean less. */
export function report(machine: Machine, findings: readonly Findings[], quick: boolean): string {
  const comparisons = findings.flatMap((each) => each.comparisons ?? []);
  const notRun = findings.flatMap((each) => each.notRun ?? []);
  const growth = findings.flatMap((each) => each.growth ?? []);
  return `${[
    "# Benchmark",
    `Written by \`npm run bench${quick ? " -- --quick" : ""}\`. Each ratio is ours by theirs, the median over pairs of runs that took turns on this machine; figures beside it are medians of each side.${quick ? " A quick run: fewer and smaller than it takes to judge by." : ""}`,
    tableOf(["machine", ""], Object.entries(machine).map(([name, value]) => [name, value])),
    ...(comparisons.length > 0 ? ["## Ratios", tableOf(["what", "ratio", "goal", "", "ours", "against", "pairs"], comparisons.map(comparisonRow))] : []),
    ...(growth.length > 0 ? ["## Growth", ...growth.map(growthSection)] : []),
    ...(notRun.length > 0 ? ["## Not run", notRun.map((each) => `- ${each}`).join("\n")] : []),
    ...(comparisons.length > 0 ? ["## What was run", ...comparisons.map(behind)] : []),
    "## Beside the figures of what this replaces",
    "The documents' own estimates; no measurement or log stands behind any of them.",
    tableOf(["what", "they say", "here", "can it be compared?"], CLAIMS.map(claimRow(comparisons))),
  ].join("\n\n")}\n`;
}
