/** Runs as people read them. */
import { cut, humanSize, type Style, table } from "../../table.ts";
import type { History, MeasuredRun, Run } from "./runs.ts";

const HEAD = ["LAYER, WHEN", "WHAT HAPPENED", "SECONDS", "SIZE", "GROWTH"];

/** A table with a heading for each layer, its newest run last, and what is being built now. `last`: how many runs each. */
export function historyText({ runs, running }: History, { last, width, style }: { last: number; width: number; style: Style }): string {
  const all = [...runs].filter(([, own]) => own.length > 0);
  const rows = all.flatMap(([name, own]) => [[style.bold(cut(name, 14))], ...own.slice(-last).map((run) => row(run, width, style))]);
  const parts = [
    all.length === 0 ? "No run is on record on the build host." : table([HEAD.map(style.bold), ...rows], [2, 3, 4]),
    running.map(({ name, startedAt }) => `${name}: being built since ${when(startedAt)} (npm run ops -- builds follow)`).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function row(run: MeasuredRun, width: number, style: Style): string[] {
  // What the other columns need at most: 14, 7, 8 and 18, and the gaps.
  const what = cut(whatHappened(run), Math.max(12, width - 55));
  return [`  ${when(run.startedAt)}`, run.outcome === "done" ? what : style.red(what), run.seconds.toFixed(1), run.bytes === undefined ? "-" : humanSize(run.bytes), growthText(run)];
}

/** The fault's code where there is one. */
export function whatHappened(run: Run): string {
  if (run.outcome !== "done") return run.outcome === "failed" ? (run.code ?? "failed") : "cut off";
  if (run.status !== undefined) return run.status;
  const counts = [...(run.built ? [`built ${run.built}`] : []), ...(run.substituted ? [`fetched ${run.substituted}`] : [])];
  return counts.join(", ") || "reused";
}

export function growthText({ growth }: MeasuredRun): string {
  if (growth === undefined) return "-";
  if (growth.bytes === 0) return "0";
  const percent = Math.abs(growth.percent);
  const sign = growth.bytes > 0 ? "+" : "-";
  return `${sign}${humanSize(Math.abs(growth.bytes))} ${percent > 9999 ? ">9999" : sign + percent.toFixed(1)}%`;
}

/** In this machine's time zone. */
export function when(iso: string): string {
  const at = new Date(iso);
  const two = (figure: number) => String(figure).padStart(2, "0");
  return `${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
