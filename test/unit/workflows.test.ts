/** The workflows of GitHub Actions: what they may do, what they call, and that each rule for them would catch a breach. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { jobs as settingsJobs } from "../../infra/ci/settings.ts";
import { updateGroups } from "../../infra/ci/update-groups.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { breaches, parseWorkflow, rules, type Workflow } from "../support/workflows.ts";

const folder = join(CHECKOUT, ".github/workflows");
const workflows = readdirSync(folder).sort().map((file) => parseWorkflow(file.replace(/\.yml$/, ""), readFileSync(join(folder, file), "utf8")));
const { scripts } = JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8")) as { scripts: Record<string, string> };
const world = { root: CHECKOUT, workflows, scripts: Object.keys(scripts) };
const named = (name: string) => workflows.find((workflow) => workflow.name === name) as Workflow;

test("the workflows there are, and what starts each", () => {
  assert.deepEqual(Object.fromEntries(workflows.map(({ name, on }) => [name, on])), {
    checks: { workflow_call: null },
    main: { push: { branches: ["main"] }, workflow_dispatch: null },
    "pull-request": { pull_request: null },
    update: { schedule: [{ cron: "17 4 * * 1" }], workflow_dispatch: null },
  });
});

for (const workflow of workflows) test(`${workflow.name}.yml keeps every rule`, () => assert.deepEqual(breaches(workflow, world), []));

test("each job has these permissions and no more", () => {
  assert.deepEqual(Object.fromEntries(workflows.flatMap(({ name, jobs }) => Object.entries(jobs).map(([job, { permissions }]) => [`${name}/${job}`, permissions]))), {
    "checks/lint": { contents: "read" },
    "checks/test": { contents: "read" },
    "main/checks": { contents: "read" },
    "main/up": { contents: "read", "id-token": "write" },
    "main/cachix": { contents: "read" },
    "pull-request/checks": { contents: "read" },
    "pull-request/preview": { contents: "read", "id-token": "write" },
    "pull-request/comment": { contents: "read", "pull-requests": "write" },
    "update/resolve": { contents: "read" },
    "update/pull-requests": { contents: "write", "pull-requests": "write" },
  });
});

test("one commit an action, in all workflows", () => {
  const pins = workflows.flatMap(({ text }) => [...text.matchAll(/uses: ([\w./-]+)@(\S+ # \S+)/g)].map(([, action, pin]) => [action as string, pin as string] as const));
  const byAction = Map.groupBy(pins, ([action]) => action);
  for (const [action, all] of byAction) assert.equal(new Set(all.map(([, pin]) => pin)).size, 1, action);
  assert.ok(byAction.size >= 5, `${byAction.size} actions`);
});

test("pull requests: lint, tests and the preview; main: the same before `up`", () => {
  assert.deepEqual(Object.keys(named("checks").jobs), ["lint", "test"]);
  const runs = (name: string, job: string) => (named(name).jobs[job]?.steps ?? []).flatMap(({ run }) => run ?? []).join("\n");
  assert.match(runs("checks", "lint"), /^npm run check$[^]*npm run lock -- --check/m);
  assert.match(runs("checks", "test"), /^npm test$/m);
  assert.match(runs("main", "up"), /^pulumi up --yes/m);
  for (const name of ["main", "pull-request"]) assert.equal(named(name).jobs["checks"]?.uses, "./.github/workflows/checks.yml");
  assert.deepEqual([named("main").jobs["up"]?.needs, named("main").jobs["cachix"]?.needs], ["checks", "checks"]);
});

test("a job's settings get the variables that they read, and all its other steps wait for them", () => {
  for (const [workflow, job, kind] of [["pull-request", "preview", "preview"], ["main", "up", "up"]] as const) {
    const steps = named(workflow).jobs[job]?.steps ?? [];
    const at = steps.findIndex(({ id }) => id === "settings");
    const variables = ["COMFYUI_STACK", "COMFYUI_BACKEND_URL", "AWS_REGION", settingsJobs[kind].role];
    assert.deepEqual(steps[at]?.env, Object.fromEntries(variables.map((name) => [name, `\${{ vars.${name} }}`])));
    assert.equal(steps[at]?.run, `node infra/ci/settings.ts ${kind}`);
    for (const step of steps.slice(at + 1)) assert.match(step.if ?? "", /steps\.settings\.outputs\.configured == 'true'/);
    assert.equal(steps.find(({ uses }) => uses?.startsWith("aws-actions/"))?.with?.["role-to-assume"], `\${{ vars.${settingsJobs[kind].role} }}`);
  }
});

test("one run at a time where two would be in each other's way; a newer push of a pull request ends the older run", () => {
  assert.deepEqual(named("pull-request").concurrency, { group: "pull-request-${{ github.event.pull_request.number }}", "cancel-in-progress": true });
  assert.deepEqual(named("main").jobs["up"]?.concurrency, { group: "up", "cancel-in-progress": false });
  assert.deepEqual(named("update").concurrency, { group: "update" });
});

test("the groups that are updated are those of the program", () => {
  assert.deepEqual(named("update").jobs["resolve"]?.strategy?.matrix["group"], Object.keys(updateGroups));
});

test("the pinned actions are kept new", () => {
  const { updates } = parse(readFileSync(join(CHECKOUT, ".github/dependabot.yml"), "utf8")) as { updates: { "package-ecosystem": string }[] };
  assert.deepEqual(updates.map((each) => each["package-ecosystem"]), ["github-actions"]);
});

/** For every rule a workflow that breaks it: a text of the file, and what stands in its place. */
const twins: Readonly<Record<string, readonly (readonly [workflow: string, text: string | RegExp, instead: string])[]>> = {
  "actions are pinned by a full commit, with the version as a comment": [
    ["main", /@[0-9a-f]{40} # v7\.0\.1/, "@v7.0.1"],
    ["main", /(@[0-9a-f]{40}) # v7\.0\.1/, "$1"],
    ["main", /@[0-9a-f]{40}/, "@0123456789abcdef"],
    ["main", "- run: npm run quickstart", '- { uses: "some/action@main" }'],
  ],
  "workflows that are called exist": [["main", "workflows/checks.yml", "workflows/other.yml"]],
  "nothing is permitted by default, and each job says what it needs": [["checks", "permissions: {}", "permissions: read-all"], ["main", /    permissions:\n      contents: read\n    uses/, "    uses"]],
  "only known triggers": [["pull-request", "  pull_request:\n", "  pull_request:\n  pull_request_target:\n"]],
  "every job has a time limit and a runner by name": [["update", "    timeout-minutes: 15\n", ""], ["checks", "runs-on: ubuntu-24.04", "runs-on: ${{ vars.RUNNER }}"]],
  "no expression in a script": [["update", 'update.ts "$GROUP"', "update.ts ${{ matrix.group }}"]],
  "of the event only numbers, commits and the repository's name": [["pull-request", "${{ github.event.pull_request.base.sha }}", "${{ github.event.pull_request.title }}"], ["pull-request", "${{ github.event.pull_request.base.sha }}", "${{ github.head_ref }}"]],
  "a pull request from a fork reaches no credential, no secret and nothing to write": [
    ["pull-request", /    if: github\.event\.pull_request\.head\.repo.*\n/, ""],
    ["pull-request", "github.repository &&", "github.repository ||"],
    ["pull-request", " && needs.preview.outputs.comment != ''", ""],
    ["pull-request", "uses: ./.github/workflows/checks.yml", "uses: ./.github/workflows/checks.yml\n    secrets: inherit"],
    ["pull-request", "uses: ./.github/workflows/checks.yml", "uses: ./.github/workflows/main.yml"],
  ],
  "a pull request reaches no secret": [["pull-request", "${{ vars.AWS_REGION }}", "${{ secrets.AWS_REGION }}"]],
  "secrets, and what pushes to Cachix, are of main only": [
    ["pull-request", "node infra/ci/preview.ts", "bash infra/ci/push-to-cachix.sh"],
    ["main", "github.ref == 'refs/heads/main' && vars.CACHIX", "vars.CACHIX"],
    ["main", "  workflow_dispatch:\n", "  workflow_dispatch:\n  pull_request:\n"],
  ],
  "Cachix is switched on by a variable": [["main", " && vars.CACHIX_CACHE != ''", ""]],
  "what may write to GitHub or take a role does not run what was proposed": [["pull-request", /\n          ref: .*/, ""]],
  "the token is left in no checkout but that which pushes": [["update", "persist-credentials: false", "persist-credentials: true"]],
  "the commands are there": [["checks", "npm run check", "npm run chekc"], ["main", "infra/ci/push-to-cachix.sh", "infra/ci/push.sh"]],
};

test("every rule has a breach that it catches", () => {
  assert.deepEqual(Object.keys(twins), Object.keys(rules));
  for (const [rule, each] of Object.entries(twins)) {
    for (const [name, text, instead] of each) {
      const broken = named(name).text.replace(text, instead);
      assert.notEqual(broken, named(name).text, `${rule}: ${String(text)} is not in ${name}.yml`);
      const found = breaches(parseWorkflow(name, broken), world);
      assert.ok(found.some((breach) => breach.startsWith(`${rule}: `)), `${rule}: not caught: ${String(text)} → ${instead}`);
    }
  }
});
