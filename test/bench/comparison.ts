/** What is compared, and how: both sides in turn in the same run, so that what slows the machine down slows both. */

/** `s` and `requests`: less is better; `MB/s` (of 10^6 bytes): more is. */
export type Unit = "s" | "MB/s" | "B" | "requests";

/** What the ratio, ours by theirs, has to be; or, where there is nothing to compare with, our own figure. */
export interface Goal {
  readonly atMost?: number;
  readonly atLeast?: number;
  /** The goal is about our own figure. Default: about the ratio. */
  readonly absolute?: boolean;
}

export interface Side {
  /** What ran, as a person would type it. */
  readonly command: string;
  /** A figure for each run. */
  readonly figures: readonly number[];
}

export interface Comparison {
  readonly what: string;
  readonly unit: Unit;
  readonly ours: Side;
  readonly theirs: Side;
  /** Default: none; the figure is only stated. */
  readonly goal?: Goal;
  /** What a reader has to know to judge it. */
  readonly note?: string;
}

export function median(figures: readonly number[]): number {
  if (figures.length === 0) throw new Error("the median of no figure");
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** Ours by theirs: the median over the pairs, each of which the machine treated alike. */
export function ratio({ ours, theirs }: Pick<Comparison, "ours" | "theirs">): number {
  if (ours.figures.length !== theirs.figures.length) throw new Error("a pair lacks a side");
  return median(ours.figures.map((figure, at) => figure / (theirs.figures[at] as number)));
}

export function meets(comparison: Comparison): boolean | undefined {
  const { goal } = comparison;
  if (goal === undefined) return undefined;
  const value = goal.absolute ? median(comparison.ours.figures) : ratio(comparison);
  return value <= (goal.atMost ?? Infinity) && value >= (goal.atLeast ?? -Infinity);
}

/** Answers the figure of one run; what it takes to get ready is not in it. */
export type Run = (round: number) => Promise<number>;

/** Both sides `runs` times, each first in every other round. */
export async function inTurn(runs: number, ours: Run, theirs: Run): Promise<{ readonly ours: number[]; readonly theirs: number[] }> {
  const figures = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < runs; round++) {
    const sides = [["ours", ours], ["theirs", theirs]] as const;
    for (const [side, run] of round % 2 === 0 ? sides : [...sides].reverse()) figures[side].push(await run(round));
  }
  return figures;
}

/** How time or memory grows with the size of what is worked on. */
export interface Growth {
  readonly what: string;
  /** Of the sizes, and of each column. */
  readonly head: readonly string[];
  readonly rows: readonly (readonly (number | string)[])[];
  readonly goal: string;
  readonly met: boolean;
  readonly note?: string;
}

/** No more than in proportion: from the first row to the last, no figure grows more than the size, which stands before them, does. */
export function linear(rows: readonly (readonly [number, ...number[]])[]): boolean {
  const [first, last] = [rows[0] as readonly number[], rows.at(-1) as readonly number[]];
  return first.slice(1).every((figure, at) => (last[at + 1] as number) / figure <= (last[0] as number) / (first[0] as number));
}

export interface Findings {
  readonly comparisons?: readonly Comparison[];
  readonly growth?: readonly Growth[];
  /** What could not be measured here, and why: no fault of the run. */
  readonly notRun?: string;
}

export interface Bench {
  /** Fewer and smaller runs: to see that all of it can be measured. */
  readonly quick: boolean;
  /** Pairs of runs where one takes seconds. */
  readonly runs: number;
  /** Progress, for the person who waits. */
  say(text: string): void;
}

export interface Part {
  readonly name: string;
  measure(bench: Bench): Promise<Findings>;
}
