/** What the repository's variables switch on, what they are refused for, and what a run's summary says without them. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildHostKind, type Job, readSettings } from "../../infra/ci/settings.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { run } from "../support/process.ts";
import { assertFault, type FaultRow, faultsOf } from "./faults.ts";

type Variables = Record<string, string>;

const ROLE = "arn:aws:iam::123456789012:role/comfyui-preview";
const good: Variables = { COMFYUI_STACK: "team", COMFYUI_BACKEND_URL: "s3://state-bucket/comfyui?region=eu-central-1", AWS_REGION: "eu-central-1", AWS_PREVIEW_ROLE: ROLE, AWS_UP_ROLE: ROLE };
const remote = "config:\n  comfyui:buildHost:\n    kind: ssh\n";
const read = (job: Job, env: Variables, file: string | undefined = remote) => readSettings(job, env, (stack) => (stack === "team" ? file : undefined));

test("all variables set: the job runs", () => {
  assert.deepEqual(read("preview", good), { configured: true });
  assert.deepEqual(read("up", good), { configured: true });
  assert.deepEqual(read("preview", good, "config: {}\n"), { configured: true });
  assert.deepEqual(read("preview", { ...good, AWS_UP_ROLE: "" }), { configured: true });
});

test("without its role a job does nothing, and the summary names every variable, the missing ones as missing", () => {
  const settings = read("up", { AWS_PREVIEW_ROLE: ROLE, AWS_REGION: "eu-central-1" });
  assert.ok(!settings.configured);
  for (const line of ["### Not configured: nothing was done", "| `AWS_REGION` | a region such as eu-central-1 | set |", "| `COMFYUI_STACK` | NAME, where stacks/Pulumi.NAME.yaml exists | **not set** |", "| `AWS_UP_ROLE` | arn:aws:iam::ACCOUNT:role/NAME | **not set** |"]) {
    assert.ok(settings.summary.includes(line), `${line} in:\n${settings.summary}`);
  }
});

test("with the role, all that is missing or wrong is named at once", () => {
  const faults = faultsOf(() => read("preview", { AWS_PREVIEW_ROLE: "arn:aws:iam::1:role/x", AWS_REGION: "Frankfurt" }));
  assert.deepEqual(faults.map(({ code, where }) => `${code} ${where}`), [
    "CI_VARIABLE_MISSING COMFYUI_STACK", "CI_VARIABLE_MISSING COMFYUI_BACKEND_URL", "CI_VARIABLE_INVALID AWS_REGION", "CI_VARIABLE_INVALID AWS_PREVIEW_ROLE",
  ]);
});

const rows: readonly FaultRow<Variables>[] = [
  { code: "CI_VARIABLE_MISSING", where: "AWS_REGION", input: { ...good, AWS_REGION: "" }, says: ["this repository variable is not set", "eu-central-1"] },
  { code: "CI_VARIABLE_INVALID", where: "COMFYUI_STACK", input: { ...good, COMFYUI_STACK: "other" }, says: ["there is no such stack", "stacks/Pulumi.other.yaml"] },
  { code: "CI_VARIABLE_INVALID", where: "COMFYUI_STACK", input: { ...good, COMFYUI_STACK: "../x" }, says: ["does not fit", "../x"] },
  { code: "CI_VARIABLE_INVALID", where: "COMFYUI_BACKEND_URL", input: { ...good, COMFYUI_BACKEND_URL: "file:///tmp" }, says: ["file:///tmp", "s3://BUCKET"] },
  { code: "CI_VARIABLE_INVALID", where: "AWS_UP_ROLE", input: { ...good, AWS_UP_ROLE: "admin" }, says: ["arn:aws:iam::ACCOUNT:role/NAME"] },
];

for (const row of rows) test(`${row.code} at ${row.where}`, () => assertFault(row, (env) => read("up", env)));

test("a stack that builds where pulumi runs is refused for up: that machine is thrown away", () => {
  const local = readFileSync(join(CHECKOUT, "stacks/Pulumi.local.yaml"), "utf8");
  const row: FaultRow<string> = { code: "CI_STACK_HOST", where: "COMFYUI_STACK", input: local, says: ["buildHost.kind local", "a build host of its own"] };
  assertFault(row, (file) => read("up", good, file));
  assert.deepEqual(read("preview", good, local), { configured: true });
});

test("the kind of build host, however YAML writes it", () => {
  for (const text of ["  comfyui:buildHost:\n    kind: ssh\n", "  comfyui:buildHost: { kind: ssh, host: a }\n", '  "comfyui:buildHost":\n    kind: "ssh"\n', "config:\n  comfyui:flavor:\n    kind: sample\n  comfyui:buildHost: {kind: ssh}\n",
    // As `pulumi config set` writes it: sorted, so `kind` is not the first, and others stand deeper.
    "config:\n  comfyui:buildHost:\n    host: a\n    jump:\n      kind: none\n    # kind: local\n    kind: ssh\n  comfyui:flavor:\n    kind: sample\n",
    '{\n  "config": {\n    "comfyui:buildHost": {\n      "jump": { "kind": "none", "port": 22 },\n      "kind": "ssh"\n    }\n  }\n}\n']) {
    assert.equal(buildHostKind(text), "ssh", text);
  }
  for (const text of ["config:\n  comfyui:flavor:\n    kind: sample\n", "  comfyui:buildHost:\n  comfyui:flavor:\n    kind: sample\n", "  comfyui:buildHost:\n    market:\n      kind: spot\n"]) assert.equal(buildHostKind(text), "local", text);
});

test("as the workflow runs it, before any npm package is there: output and summary are written, and a variable that is missing is an error", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ci-settings-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const part of ["infra/ci", "infra/faults.ts", "stacks"]) cpSync(join(CHECKOUT, part), join(folder, part), { recursive: true });
  const [output, summary] = [join(folder, "output"), join(folder, "summary")];
  const settings = (env: Variables, allowFailure = false) => run("node", ["infra/ci/settings.ts", "preview"], { cwd: folder, allowFailure, env: { PATH: process.env["PATH"] ?? "", GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary, ...env } });
  await settings({ AWS_PREVIEW_ROLE: "" });
  assert.equal(readFileSync(output, "utf8"), "configured=false\n");
  assert.match(readFileSync(summary, "utf8"), /^### Not configured/);
  await settings({ ...good, COMFYUI_STACK: "local" });
  assert.equal(readFileSync(output, "utf8"), "configured=false\nconfigured=true\n");
  const { code, stderr } = await settings({ AWS_PREVIEW_ROLE: ROLE }, true);
  assert.equal(code, 1);
  assert.match(stderr, /^error\[CI_VARIABLE_MISSING\]: COMFYUI_STACK/);
});
