/** Cases that hold for the official command plugin too, and those in which the stand-in is meant to differ from it. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CommandStack, plugin } from "./command-stack.ts";
import { CommandFailed } from "./process.ts";

/** Where the official plugin does otherwise, and why the stand-in does not do the same. */
export const differences = {
  "long lines": "a line of more than 64 KiB that is to be shown stops the reading of the output: the command never ends",
  "endless progress": "a progress bar, which ends its lines by bare carriage returns, is shown as one line at the end",
  "secrets shown": "a secret input is shown in clear in the messages and in the error of its command",
  "whole output quoted": "an error quotes the whole output, of any length",
  "large previous output": "the output before is put into a variable, and no command starts with one of more than 128 KiB: the stack cannot be destroyed",
  "killed engine": "the plugin and the command go on without their engine",
  "remote time limit": "a resource's customTimeouts do not end a remote command",
  "silent server": "perDialTimeout is for the TCP connection alone: a server that says nothing is waited for without an end",
  "final errors retried": "another host key, a refused login and an agent that is not there are tried as often as a host that does not answer",
  "agent beside a key": "an agent that is not there is an error even where a private key is given",
  "host key left out": "without a host key any host is accepted",
  "inputs not used here": "inputs that this project does not use are known to it",
} as const satisfies Record<string, string>;

/** Milliseconds for an `up` that the official plugin may never end. */
const LIMIT = 30_000;

/** Of the file's cases; what earlier ones left on it is deleted by the way. */
let shared: CommandStack | undefined;
after(() => shared?.[Symbol.dispose]());

/** A case of both plugins. With a difference: one of the stand-in, in which the official one has to fail, on a stack of its own. */
export function conforms(name: string, body: (stack: CommandStack) => Promise<void>, difference?: keyof typeof differences): void {
  if (plugin === "stand-in" || difference === undefined) {
    test(name, async () => body((shared ??= await CommandStack.create())));
    return;
  }
  test(`not the official plugin, because ${differences[difference]}: ${name}`, async () => {
    using own = await CommandStack.create({ timeout: LIMIT });
    await assert.rejects(body(own), (error) => error instanceof assert.AssertionError || error instanceof CommandFailed);
  });
}
