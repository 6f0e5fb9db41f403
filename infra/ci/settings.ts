/**
 * `node infra/ci/settings.ts preview|up`: whether the repository's variables let this job run. The role's variable is the
 * switch: without it the job says in the run's summary what to set, and ends well; with it everything else must be there.
 * Sets the output `configured`.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Fault, throwFaults } from "../faults.ts";
import { setOutput, step, summarize } from "./runner.ts";

export const jobs = {
  preview: { role: "AWS_PREVIEW_ROLE", does: "previews a pull request", may: "may only read", builds: false },
  up: { role: "AWS_UP_ROLE", does: "runs `pulumi up`", may: "may change what the stack has", builds: true },
} as const;

export type Job = keyof typeof jobs;

interface Variable {
  readonly pattern: RegExp;
  readonly expected: string;
}

const role: Variable = { pattern: /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/, expected: "arn:aws:iam::ACCOUNT:role/NAME" };

/** Repository variables (Settings, Secrets and variables, Actions, Variables). None of them is a secret. */
const variables: Readonly<Record<string, Variable>> = {
  COMFYUI_STACK: { pattern: /^[A-Za-z0-9][A-Za-z0-9_.-]*$/, expected: "NAME, where stacks/Pulumi.NAME.yaml exists" },
  COMFYUI_BACKEND_URL: { pattern: /^s3:\/\/[a-z0-9][a-z0-9.-]+(\/[^\s?]*)?(\?\S*)?$/, expected: "s3://BUCKET, where Pulumi keeps the stack's state" },
  AWS_REGION: { pattern: /^[a-z]{2}(-[a-z]+)+-\d$/, expected: "a region such as eu-central-1" },
};

export type Settings = { readonly configured: true } | { readonly configured: false; readonly summary: string };

/** Reads the variables; throws one FaultError with all that is wrong. `stackFile`: the text of a stack's file, where there is one. */
export function readSettings(job: Job, env: Readonly<Record<string, string | undefined>>, stackFile: (stack: string) => string | undefined): Settings {
  const wanted = { ...variables, [jobs[job].role]: role };
  if (!env[jobs[job].role]) return { configured: false, summary: notConfigured(job, Object.keys(wanted), env) };
  const faults = Object.entries(wanted).flatMap(([name, variable]) => variableFaults(name, variable, env[name] ?? ""));
  const stack = env["COMFYUI_STACK"] ?? "";
  if (variables["COMFYUI_STACK"]?.pattern.test(stack)) faults.push(...stackFaults(stack, stackFile(stack), jobs[job].builds));
  throwFaults(faults);
  return { configured: true };
}

function stackFaults(stack: string, text: string | undefined, builds: boolean): Fault[] {
  const where = "COMFYUI_STACK";
  if (text === undefined) return [{ code: "CI_VARIABLE_INVALID", where, problem: "there is no such stack", found: stack, expected: `stacks/Pulumi.${stack}.yaml` }];
  const kind = buildHostKind(text);
  if (!builds || kind !== "local") return [];
  return [{ code: "CI_STACK_HOST", where, problem: `the stack ${stack} builds on the machine that runs pulumi, and the workflow's is thrown away`, found: `buildHost.kind ${kind}`, expected: "a build host of its own" }];
}

/** Read without a YAML parser: this runs before any package is installed, so that a job without variables ends at once. */
export function buildHostKind(stackFile: string): string {
  const [, indent = "", rest = ""] = /^([ \t]*)["']?comfyui:buildHost["']?:([^]*)/m.exec(stackFile) ?? [];
  const kind = /^["']?kind["']?:\s*["']?([\w-]+)/;
  const members = /^\s*\{/.test(rest) ? flowMembers(rest) : blockMembers(rest, indent.length);
  return members.map((member) => kind.exec(member)?.[1]).find((found) => found !== undefined) ?? "local";
}

/** Of `{ a: …, b: { … } }`: what stands between its own commas, without what is in inner braces. */
function flowMembers(text: string): string[] {
  let [depth, own] = [0, ""];
  for (const character of text) {
    if (character === "{") depth++;
    if (character === "}" && --depth === 0) break;
    if (depth === 1 && character !== "{") own += character;
  }
  return own.split(",").map((member) => member.trim());
}

/** Of the lines below a key: those that are further in than it, at the first one's depth. */
function blockMembers(text: string, indent: number): string[] {
  const depth = (line: string) => line.length - line.trimStart().length;
  const lines = text.split("\n").slice(1).filter((line) => line.trim() !== "" && !/^\s*#/.test(line));
  const end = lines.findIndex((line) => depth(line) <= indent);
  const inside = end < 0 ? lines : lines.slice(0, end);
  return inside.filter((line) => depth(line) === depth(inside[0] ?? "")).map((line) => line.trim());
}

function variableFaults(name: string, { pattern, expected }: Variable, value: string): Fault[] {
  if (value === "") return [{ code: "CI_VARIABLE_MISSING", where: name, problem: "this repository variable is not set", expected }];
  if (pattern.test(value)) return [];
  return [{ code: "CI_VARIABLE_INVALID", where: name, problem: "this repository variable does not fit", found: value, expected }];
}

function notConfigured(job: Job, names: readonly string[], env: Readonly<Record<string, string | undefined>>): string {
  const { does, may, role: switchedBy } = jobs[job];
  const rows = names.map((name) => `| \`${name}\` | ${name === switchedBy ? role.expected : variables[name]?.expected} | ${env[name] ? "set" : "**not set**"} |`);
  return [
    `### Not configured: nothing was done`,
    `This job ${does} once these repository variables are set (Settings → Secrets and variables → Actions → Variables). The role is assumed by OpenID Connect, and ${may}.`,
    ["| variable | value | |", "|--|--|--|", ...rows].join("\n"),
  ].join("\n\n");
}

function main(job: string | undefined): void {
  if (job !== "preview" && job !== "up") throw new Error(`usage: node infra/ci/settings.ts ${Object.keys(jobs).join("|")}`);
  const root = join(import.meta.dirname, "../..");
  const settings = readSettings(job, process.env, (stack) => {
    const file = join(root, `stacks/Pulumi.${stack}.yaml`);
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  });
  if (!settings.configured) {
    summarize(settings.summary);
    console.log(settings.summary);
  }
  setOutput("configured", String(settings.configured));
}

if (import.meta.main) await step(() => main(process.argv[2]));
