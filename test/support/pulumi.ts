/** The real Pulumi CLI in a sandbox, on the sandbox's own file backend. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { type Preview, parsePreview } from "../../infra/preview/steps.ts";
import { finish, type Result, type RunOptions, type Running } from "./process.ts";
import { type Events, parseEvents, ran } from "./pulumi-events.ts";
import type { Sandbox } from "./sandbox.ts";

export interface PulumiOptions extends RunOptions {
  /** More arguments for the CLI. */
  readonly args?: readonly string[];
}

/** What one `up` or `destroy` did. */
export interface Update extends Events {
  readonly process: Result;
  /** The commands that really ran, by name. */
  readonly ran: readonly string[];
}

/** A run that can be watched and killed; `finish` waits and reads its event log. */
export interface StartedUpdate {
  readonly running: Running;
  finish(): Promise<Update>;
}

const BASE = ["--non-interactive", "--color", "never"];
/** The flag for the event log is among those the CLI shows and takes only with this set. */
const WITH_EVENT_LOG = { PULUMI_DEBUG_COMMANDS: "1" };

let logs = 0;

/** Creates the sandbox's stack, if it is not there. Never changes the stack's file: it holds its salt already. */
export async function initStack(sandbox: Sandbox): Promise<void> {
  const stack = sandbox.env.PULUMI_STACK ?? "local";
  if (existsSync(sandbox.host(`.local/backend/.pulumi/stacks/comfyui/${stack}.json`))) return;
  const file = sandbox.host(`stacks/Pulumi.${stack}.yaml`);
  const before = await readFile(file, "utf8");
  await sandbox.run("pulumi", ["stack", "init", stack, ...BASE]);
  if ((await readFile(file, "utf8")) !== before) throw new Error(`'pulumi stack init' changed ${file}`);
}

async function startUpdate(sandbox: Sandbox, command: string, options: PulumiOptions): Promise<StartedUpdate> {
  await initStack(sandbox);
  const log = `${sandbox.at}/tmp/events-${process.pid}-${++logs}.json`;
  const args = [command, "--yes", "--skip-preview", ...BASE, "--event-log", log, ...(options.args ?? [])];
  const running = sandbox.start("pulumi", args, { ...options, env: { ...WITH_EVENT_LOG, ...options.env } });
  return {
    running,
    async finish() {
      const result = await finish(running, options);
      const host = sandbox.host(log);
      const events = parseEvents(existsSync(host) ? await readFile(host, "utf8") : "");
      return { ...events, ran: ran(events), process: result };
    },
  };
}

/** Starts `pulumi up`, to be killed or watched. */
export async function startUp(sandbox: Sandbox, options: PulumiOptions = {}): Promise<StartedUpdate> {
  return startUpdate(sandbox, "up", options);
}

/** `pulumi up`; throws when it fails, unless `allowFailure`. */
export async function up(sandbox: Sandbox, options: PulumiOptions = {}): Promise<Update> {
  return (await startUpdate(sandbox, "up", options)).finish();
}

export async function destroy(sandbox: Sandbox, options: PulumiOptions = {}): Promise<Update> {
  return (await startUpdate(sandbox, "destroy", options)).finish();
}

async function cli(sandbox: Sandbox, args: readonly string[], options: PulumiOptions = {}): Promise<Result> {
  await initStack(sandbox);
  return sandbox.run("pulumi", [...args, ...BASE, ...(options.args ?? [])], options);
}

/** What `pulumi up` would do. */
export async function preview(sandbox: Sandbox, options: PulumiOptions = {}): Promise<Preview> {
  return parsePreview((await cli(sandbox, ["preview", "--json"], options)).stdout);
}

/** What a person reads: the text of `pulumi preview --diff`. */
export async function previewDiff(sandbox: Sandbox): Promise<string> {
  return (await cli(sandbox, ["preview", "--diff"])).stdout;
}

/** The stack's outputs, secrets shown. */
export async function stackOutput(sandbox: Sandbox): Promise<Record<string, unknown>> {
  const { stdout } = await cli(sandbox, ["stack", "output", "--json", "--show-secrets"]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** The documented command after a run that was killed: clears its lock and its pending creates. */
export async function recover(sandbox: Sandbox, options: RunOptions = {}): Promise<Result> {
  return sandbox.run("node", ["infra/recover.ts"], options);
}
