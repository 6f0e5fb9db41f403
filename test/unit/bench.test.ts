/** What the benchmark makes of its figures; measuring them is `npm run bench`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Comparison, inTurn, median, meets, ratio } from "../bench/comparison.ts";
import { report } from "../bench/report.ts";

const comparison = (ours: number[], theirs: number[], more: Partial<Comparison> = {}): Comparison => ({ what: "a thing", unit: "s", ours: { command: "ours", figures: ours }, theirs: { command: "theirs", figures: theirs }, ...more });

test("the median: of an odd number, of an even one, of none", () => {
  assert.deepEqual([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 2.5]);
  assert.throws(() => median([]), /no figure/);
});

test("a ratio is the median over the pairs, whatever made a pair slow; goals are about it, or about our figure", () => {
  const slowMachine = comparison([1, 10, 1.2], [1, 10, 1]);
  assert.equal(ratio(slowMachine), 1);
  assert.throws(() => ratio(comparison([1], [])), /lacks a side/);
  const of = (goal: Comparison["goal"]) => meets({ ...slowMachine, ...(goal && { goal }) });
  assert.deepEqual([of({ atMost: 1 }), of({ atMost: 0.9 }), of({ atLeast: 1 }), of({ atLeast: 1.1 }), of({ atMost: 1.2, absolute: true }), of({ atMost: 1.1, absolute: true }), of(undefined)], [true, false, true, false, true, false, undefined]);
});

test("both sides take turns, each first in every other round", async () => {
  const order: string[] = [];
  const side = (name: string) => async (round: number) => order.push(`${name}${round}`);
  const figures = await inTurn(3, side("a"), side("b"));
  assert.deepEqual(order, ["a0", "b0", "b1", "a1", "a2", "b2"]);
  assert.deepEqual(figures, { ours: [1, 4, 5], theirs: [2, 3, 6] });
});

test("the report: ratio, goal and verdict in one row, the runs and commands of both sides below; growth as a table", () => {
  const findings = [
    { comparisons: [comparison([2, 2], [1, 1], { goal: { atMost: 1.5 }, note: "It is slow." }), comparison([5_000], [100_000], { what: "bytes", unit: "B", goal: { atMost: 20_000, absolute: true } })] },
    { growth: [{ what: "files", head: ["files", "s"], rows: [[10, 0.0101], [1000, 2.5]], goal: "linear", met: true }] },
    { notRun: "`parts`: they are not here" },
  ];
  const text = report({ processor: "one" }, findings, true);
  for (const line of [
    "Written by `npm run bench -- --quick`.", "| processor | one |",
    "| a thing | 2.00× | ≤ 1.5× | **missed** | 2.00 s | 1.00 s | 2 |", "- against: `theirs`\n  1.00 s, 1.00 s\n- It is slow.",
    "| bytes | 0.050× | ≤ 20,000 B | met | 5,000 B | 100,000 B | 1 |",
    "### Growth: files\n\n| files | s |\n| -- | -- |\n| 10 | 0.010 |\n| 1000 | 2.5 |\n\nGoal: linear; met.",
    "## Not run\n\n- `parts`: they are not here\n",
  ]) assert.ok(text.includes(line), `${line}\nis not in\n${text}`);
});
