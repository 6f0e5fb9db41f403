/** What must hold for every workflow: each rule answers with what breaks it, so that a test can also show that it would. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export interface Step {
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Job {
  readonly if?: string;
  readonly needs?: string | readonly string[];
  readonly uses?: string;
  readonly "runs-on"?: string;
  readonly "timeout-minutes"?: number;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly string[]>> };
  readonly concurrency?: unknown;
  readonly steps?: readonly Step[];
}

export interface Workflow {
  /** File name without its ending. */
  readonly name: string;
  readonly text: string;
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: unknown;
  readonly concurrency?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

export function parseWorkflow(name: string, text: string): Workflow {
  return { ...(parse(text) as Omit<Workflow, "name" | "text">), name, text };
}

interface World {
  readonly root: string;
  /** All workflows: a job may be another workflow. */
  readonly workflows: readonly Workflow[];
  /** Scripts of package.json. */
  readonly scripts: readonly string[];
}

type Rule = (workflow: Workflow, world: World) => string[];

const SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository";
const ON_MAIN = "github.ref == 'refs/heads/main'";
/** Each is a trigger that runs the default branch's own workflow, or a pull request's without anything to steal. */
const TRIGGERS = ["push", "pull_request", "schedule", "workflow_call", "workflow_dispatch"];

const jobsOf = ({ jobs }: Workflow): [string, Job][] => Object.entries(jobs);
const stepsOf = (workflow: Workflow): [string, Step][] => jobsOf(workflow).flatMap(([job, { steps = [] }]) => steps.map((step): [string, Step] => [job, step]));
const writes = ({ permissions = {} }: Job): boolean => Object.values(permissions).includes("write");
const needed = ({ needs = [] }: Job): readonly string[] => (typeof needs === "string" ? [needs] : needs);

/** The terms that all must hold. An `||` could let something through, so such a condition counts as none. */
function terms(condition: string | undefined): string[] {
  const text = (condition ?? "").replace(/^\$\{\{(.*)\}\}$/s, "$1");
  return text.includes("||") ? [] : text.split("&&").map((term) => term.trim());
}

/** Never runs for a pull request from a fork: by its own condition, or for want of an output of a job that doesn't. */
function keptFromForks(jobs: Workflow["jobs"], job: Job): boolean {
  const own = terms(job.if);
  if (own.includes(SAME_REPOSITORY)) return true;
  return needed(job).some((name) => own.some((term) => new RegExp(`^needs\\.${name}\\.outputs\\.\\w+ != ''$`).test(term)) && keptFromForks(jobs, jobs[name] as Job));
}

/** What a job and the workflows that it calls can get at. */
function reach(job: Job, { workflows }: World): string {
  const called = workflows.find(({ name }) => job.uses === `./.github/workflows/${name}.yml`);
  return JSON.stringify([job, called?.jobs]);
}

export const rules: Readonly<Record<string, Rule>> = {
  "actions are pinned by a full commit, with the version as a comment": ({ text, jobs }) => [
    ...text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line) && !/uses: (\.\/\.github\/workflows\/[\w-]+\.yml|[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*)$/.test(line)),
    // The lines are all there is.
    ...(Object.values(jobs).flatMap(({ uses, steps = [] }) => [uses, ...steps.map((step) => step.uses)]).filter((uses) => uses !== undefined).length === text.split("\n").filter((line) => /^\s*(- )?uses:/.test(line)).length ? [] : ["a `uses` that is not a line of its own"]),
  ],
  "workflows that are called exist": (workflow, { root }) => jobsOf(workflow).flatMap(([name, { uses }]) => (uses === undefined || existsSync(join(root, uses)) ? [] : [`${name}: ${uses}`])),
  "nothing is permitted by default, and each job says what it needs": (workflow) => [
    ...(JSON.stringify(workflow.permissions) === "{}" ? [] : ["the workflow's own permissions"]),
    ...jobsOf(workflow).flatMap(([name, { permissions }]) => (permissions !== null && typeof permissions === "object" ? [] : [name])),
  ],
  "only known triggers": ({ on }) => Object.keys(on).filter((trigger) => !TRIGGERS.includes(trigger)),
  "every job has a time limit and a runner by name": (workflow) => jobsOf(workflow).flatMap(([name, job]) => (job.uses !== undefined || (job["timeout-minutes"] !== undefined && job["runs-on"] === "ubuntu-24.04") ? [] : [name])),
  "no expression in a script": (workflow) => stepsOf(workflow).flatMap(([job, { run = "" }]) => (run.includes("${{") ? [`${job}: ${run}`] : [])),
  "of the event only numbers, commits and the repository's name": ({ text }) => [...text.matchAll(/github\.(event\.[\w.]+|head_ref)/g)].map(([, part]) => part as string).filter((part) => !["event.pull_request.number", "event.pull_request.base.sha", "event.pull_request.head.sha", "event.pull_request.head.repo.full_name"].includes(part)),
  "a pull request from a fork reaches no credential, no secret and nothing to write": (workflow, world) =>
    !("pull_request" in workflow.on)
      ? []
      : jobsOf(workflow).filter(([, job]) => !keptFromForks(workflow.jobs, job) && /\b(secrets|vars|github\.token|id-token|write|inherit)\b/.test(reach(job, world))).map(([name]) => name),
  "a pull request reaches no secret": (workflow, world) => (!("pull_request" in workflow.on) ? [] : jobsOf(workflow).filter(([, job]) => /\bsecrets\b/.test(reach(job, world))).map(([name]) => name)),
  "secrets, and what pushes to Cachix, are of main only": (workflow) =>
    jobsOf(workflow).filter(([, job]) => /\bsecrets\b|push-to-cachix/.test(JSON.stringify(job)) && !(Object.keys(workflow.on).every((trigger) => trigger === "push" || trigger === "workflow_dispatch") && terms(job.if).includes(ON_MAIN))).map(([name]) => name),
  "Cachix is switched on by a variable": (workflow) => jobsOf(workflow).filter(([, job]) => JSON.stringify(job).includes("push-to-cachix") && !terms(job.if).includes("vars.CACHIX_CACHE != ''")).map(([name]) => name),
  "what may write to GitHub or take a role does not run what was proposed": (workflow) =>
    jobsOf(workflow).flatMap(([name, job]) => {
      if (!("pull_request" in workflow.on) || !writes({ permissions: Object.fromEntries(Object.entries(job.permissions ?? {}).filter(([scope]) => scope !== "id-token")) })) return [];
      const checkouts = (job.steps ?? []).filter(({ uses }) => uses?.startsWith("actions/checkout@"));
      return checkouts.every((step) => step.with?.["ref"] === "${{ github.event.pull_request.base.sha }}") ? [] : [name];
    }),
  "the token is left in no checkout but that which pushes": (workflow) =>
    jobsOf(workflow).flatMap(([name, { permissions = {}, steps = [] }]) => steps.filter(({ uses, with: inputs }) => uses?.startsWith("actions/checkout@") && inputs?.["persist-credentials"] !== false && permissions["contents"] !== "write").map(() => name)),
  "the commands are there": (workflow, { root, scripts }) =>
    stepsOf(workflow).flatMap(([job, { run = "" }]) => [
      ...[...run.matchAll(/\bnpm (?:run )?([\w-]+)/g)].map(([, script]) => script as string).filter((script) => !scripts.includes(script)).map((script) => `${job}: npm run ${script}`),
      ...[...run.matchAll(/\b(?:node|bash) ([\w./-]+)/g)].map(([, file]) => file as string).filter((file) => !existsSync(join(root, file))).map((file) => `${job}: ${file}`),
    ]),
};

/** RULE: what breaks it, for every breach of every rule. */
export function breaches(workflow: Workflow, world: World): string[] {
  return Object.entries(rules).flatMap(([name, rule]) => rule(workflow, world).map((what) => `${name}: ${what}`));
}
