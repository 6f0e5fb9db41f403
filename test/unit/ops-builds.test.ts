/** The history of builds: how it is bounded on the host, what is derived from it, and how it is shown. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { type MeasuredRun, measured, type Run } from "../../infra/ops/builds/runs.ts";
import { growthText, historyText } from "../../infra/ops/builds/text.ts";
import { styleFor } from "../../infra/table.ts";
import { CHECKOUT } from "../support/checkout.ts";

const style = styleFor({}, {});
const common = { name: "layer3-pytorch", key: "0123456789ab", log: "/logs/a.log", startedAt: "2026-11-24T12:00:00Z", endedAt: "2026-11-24T12:10:00Z", seconds: 14399.9, changes: null };
const done = (...sizes: number[]): Run => ({ ...common, outcome: "done", built: 3, substituted: 0, sizes, closureSize: 7 });

test("growth is against the last run that came to its end; a layer without a blob has the size of its store paths", () => {
  const runs = measured([done(100, 100), { ...common, outcome: "failed", code: "LAYER_TIMEOUT" }, done(300), { ...common, outcome: "cut-off" }, done(150), done(150), done()]);
  assert.deepEqual(runs.map(({ bytes }) => bytes), [200, undefined, 300, undefined, 150, 150, 7]);
  assert.deepEqual(runs.map(growthText), ["-", "-", "+100 B +50.0%", "-", "-150 B -50.0%", "0", "-143 B -95.3%"]);
});

test("the table has at most 80 columns, whatever is in it", () => {
  const name = "layer3-pytorch-with-a-name-that-is-far-too-long";
  const grown = { bytes: 999_900_000_000, growth: { bytes: -999_900_000_000, percent: -100 } };
  const runs: MeasuredRun[] = [
    { ...common, outcome: "done", built: 1234, substituted: 12345, ...grown },
    { ...common, outcome: "failed", code: "AN_ERROR_CODE_THAT_IS_LONGER_THAN_ANY_OF_TODAY" },
    { ...common, outcome: "cut-off" },
    { ...common, outcome: "done", built: 0, substituted: 0, bytes: 5 },
  ];
  const text = historyText({ runs: new Map([[name, runs]]), running: [] }, { last: 5, width: 80, style });
  for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length}: ${line}`);
  assert.match(text, /^layer3-pytorc…\n {2}\d\d-\d\d \d\d:\d\d {3}built 1234, fetched 12345 +14399\.9 {2}999\.9 GB {2}-999\.9 GB -100\.0%$/m);
  assert.match(text, / AN_ERROR_CODE_[A-Z_]+… .*\n.* cut off .*\n.* reused +14399\.9 +5 B +-$/m);
  assert.equal(historyText({ runs: new Map([[name, runs]]), running: [] }, { last: 1, width: 80, style }).split("\n").length, 3);
  assert.equal(historyText({ runs: new Map([[name, []]]), running: [] }, { last: 1, width: 80, style }), "No run is on record on the build host.");
});

/** Lines of bash behind the host's scripts, in a state folder of its own. */
function onHost(t: TestContext): { folder: string; bash: (lines: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), "comfyui-history-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["work/layer6-app", "logs/layer6-app", "records/layer6-app"]) mkdirSync(join(folder, name), { recursive: true });
  const lines = `set -euo pipefail; . infra/hosts/common.sh; . infra/hosts/history.sh; WORK=$STATE/work/layer6-app; STARTED=1000.5; LOG=$STATE/logs/layer6-app/now.log\n`;
  return { folder, bash: (more) => execFileSync("bash", ["-c", lines + more], { cwd: CHECKOUT, encoding: "utf8", env: { ...process.env, COMFYUI_STATE: folder }, stdio: ["ignore", "pipe", "pipe"] }) };
}

test("the history keeps the last 200 runs, with what differs from the last good one", (t) => {
  const { folder, bash } = onHost(t);
  mkdirSync(join(folder, "history/sample"), { recursive: true });
  writeFileSync(join(folder, "history/sample/layer6-app.jsonl"), Array.from({ length: 250 }, (_, at) => `{"at":${at}}\n`).join(""));
  const request = (page: string, more = "") => `read_request <<<'{"flavor":"sample","protocol":3,"substituters":[],"inputs":{"a/page.html":"${page}"${more}}}'; `;
  bash(`${request("1")} open_history layer6-app k1; jq -n '{built: 2}' >"$WORK/facts.json"`);
  assert.throws(() => bash(`${request("2", ',"b":"1"')} open_history layer6-app k2; (fail LAYER_TIMEOUT a b); :`));
  assert.throws(() => bash(`${request("2")} open_history layer6-app k3; kill -9 $$`));
  bash(`${request("1")} open_history layer6-app k4; echo '{}' >"$WORK/facts.json"`);
  const lines = readFileSync(join(folder, "history/sample/layer6-app.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines.length, 200);
  assert.deepEqual(lines[0], { at: 54 });
  const [first, failed, cut, last] = lines.slice(-4);
  assert.deepEqual([first?.["outcome"], first?.["changes"], first?.["built"], first?.["startedAt"]], ["done", null, 2, "1970-01-01T00:16:40Z"]);
  assert.deepEqual([failed?.["outcome"], failed?.["code"]], ["failed", "LAYER_TIMEOUT"]);
  assert.deepEqual(failed?.["changes"], [{ path: ["inputs", "a/page.html"], old: "1", new: "2" }, { path: ["inputs", "b"], new: "1" }]);
  assert.deepEqual([cut?.["outcome"], cut?.["key"]], ["cut-off", "k3"]);
  assert.deepEqual([last?.["outcome"], last?.["changes"], last?.["built"]], ["done", [], undefined]);
  assert.deepEqual(readdirSync(join(folder, "history/sample")).sort(), ["layer6-app.jsonl", "layer6-app.request.json"]);
  assert.deepEqual(readdirSync(join(folder, "work/layer6-app")), ["facts.json"]);
});

test("LAYER_STOPPED: however a run ends that was told to stop, it says why, and so does the history", (t) => {
  const { folder, bash } = onHost(t);
  const begun = `read_request <<<'{"flavor":"sample","protocol":3}'; open_history layer6-app k; touch "$WORK/stop"; `;
  for (const end of ["fail CACHE_PUSH_FAILED a b", "false", "kill -TERM $$; sleep 1", "digest=$(fail PUBLISH_REGISTRY a b); echo $digest"]) {
    assert.throws(() => bash(begun + end), (error: { stderr?: string }) => error.stderr?.match(/error\[/g)?.length === 1 && /^error\[LAYER_STOPPED\]: .*\n {2}fix: {6}run 'pulumi up'/m.test(error.stderr), end);
    const last = JSON.parse(readFileSync(join(folder, "history/sample/layer6-app.jsonl"), "utf8").trimEnd().split("\n").at(-1) ?? "") as object;
    assert.deepEqual({ ...last, log: "", endedAt: "", startedAt: "", seconds: 0 }, { name: "layer6-app", key: "k", log: "", changes: null, endedAt: "", startedAt: "", seconds: 0, outcome: "failed", code: "LAYER_STOPPED" }, end);
  }
});

test("logs: the newest 50 stay, and those in use; records: the newest 200", (t) => {
  const { folder, bash } = onHost(t);
  const put = (name: string, age: number, text = "") => {
    writeFileSync(join(folder, name), text);
    utimesSync(join(folder, name), 2e9 - age, 2e9 - age);
  };
  const two = (at: number) => String(at).padStart(3, "0");
  for (let at = 0; at < 70; at++) put(`logs/layer6-app/${two(at)}.log`, at);
  for (let at = 0; at < 210; at++) put(`records/layer6-app/${two(at)}.json`, at, JSON.stringify({ log: `/logs/${two(at + 60)}.log` }));
  put("logs/layer6-app/now.log", 1000);
  bash("prune layer6-app");
  const left = readdirSync(join(folder, "logs/layer6-app")).sort();
  assert.deepEqual(left, [...Array.from({ length: 50 }, (_, at) => `${two(at)}.log`), "060.log", "now.log"]);
  assert.equal(readdirSync(join(folder, "records/layer6-app")).length, 200);
  // By bytes, too: files without content on disk.
  bash('for log in 001 002 003; do truncate -s 120M "$STATE/logs/layer6-app/$log.log"; touch -d @2000000000 "$STATE/logs/layer6-app/$log.log"; done; prune layer6-app');
  assert.ok(readdirSync(join(folder, "logs/layer6-app")).length <= 5);
});
