/** How the tests of the scripts that call AWS ask them. */
import assert from "node:assert/strict";
import { protocol } from "../../infra/request.ts";
import type { AwsStandIn } from "./aws-stand-in.ts";
import type { Result } from "./process.ts";

/** What AWS says where it has no machine to give. */
export const SHORT = "InsufficientInstanceCapacity";

/** Runs a script of pulumi's machine with this request. */
export function askScript(aws: AwsStandIn, script: string, request: object, env: Record<string, string>): Promise<Result> {
  return aws.script(script, [], { input: JSON.stringify({ protocol, region: "us-east-1", ...request }), env });
}

/** It ends with this code, answers nothing, and says these words. */
export async function failsWith(result: Promise<Result>, code: string, ...says: string[]): Promise<void> {
  const { code: exit, stdout, stderr } = await result;
  assert.notEqual(exit, 0);
  assert.equal(stdout, "");
  assert.match(stderr, new RegExp(`^error\\[${code}\\]: `, "m"));
  for (const words of says) assert.ok(stderr.includes(words), `${words} is not in\n${stderr}`);
}
