import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import * as pulumi from "@pulumi/pulumi";
import { canonicalJson } from "../canonical-json.ts";
import { protocol } from "../request.ts";
import { settled } from "./settled.ts";

export interface WakeArgs {
  readonly region: string;
  readonly instanceId: pulumi.Output<string>;
  /** What an instance on demand may become where there is no capacity for its own type. */
  readonly types: readonly string[];
}

/**
 * Starts a stopped instance, by wake.sh, and ends when it runs; called before a command that really goes to the host, so never
 * in a preview. Its messages are the run's.
 */
export function waker({ region, instanceId, types }: WakeArgs): () => Promise<void> {
  return async () => {
    const instance = await settled(instanceId);
    if (instance === undefined) throw new Error("a host that is not there was to be started");
    await runScript("aws/wake", canonicalJson({ protocol, region, instance, types }));
  };
}

async function runScript(script: string, request: string): Promise<void> {
  const child = spawn("bash", [`${import.meta.dirname}/../hosts/${script}.sh`], { stdio: ["pipe", "ignore", "pipe"] });
  const closed = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  child.stdin.end(request);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    lines.push(line);
    if (!lines.some((each) => each.startsWith("error["))) void pulumi.log.info(line, undefined, undefined, true);
  }
  const code = await closed;
  if (code === 0) return;
  throw new Error(`${lines.slice(Math.max(0, lines.findIndex((each) => each.startsWith("error[")))).join("\n")}`);
}
