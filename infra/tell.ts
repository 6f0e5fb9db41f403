/**
 * What a command of the local provider wants a person to read after the run: standard input as a message of the run itself. What
 * a command writes is seen while it runs, and is gone from a terminal when it ends. A provider's one argument is the address of
 * the engine (Pulumi's protocol for plugins), and this descends from it; where that is not so, the text is written as usual.
 */
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";

/** Pulumi's own command plugin, and this project's, a program of Node.js. */
const PROVIDER = /(^|\/)(pulumi-resource-command|pulumi\/command\/main\.ts)$/;

/** Of the provider: this process's parent, or its shell's. */
function engineAddress(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const address = words.find((word) => /^127\.0\.0\.1:\d+$/.test(word));
  if (words.slice(0, 2).some((word) => PROVIDER.test(word)) && address !== undefined) return address;
  return engineAddress(Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]));
}

async function tellEngine(text: string): Promise<void> {
  pulumi.runtime.resetOptions("", "", 1, engineAddress(process.ppid), "", false, "");
  await pulumi.log.info(text);
}

const text = readFileSync(0, "utf8");
try {
  await tellEngine(text);
} catch {
  process.stderr.write(text);
}
