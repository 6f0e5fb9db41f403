/** A program that waits for a resource's value, as those of stacks on AWS do, under the real engine. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CHECKOUT } from "../support/checkout.ts";
import { SmallProgram } from "../support/small-program.ts";

const PROGRAM = `import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { settled } from "${CHECKOUT}/infra/aws/settled.ts";
import { reportFailedCommandsInOneLine } from "${CHECKOUT}/infra/failed-commands.ts";
reportFailedCommandsInOneLine();
const quiet = { logging: command.local.Logging.Stderr };
const capacity = new command.local.Command("capacity", { create: process.env.CAPACITY, ...quiet });
const volume = new command.local.Command("volume", { create: "cat", stdin: capacity.stdout, ...quiet });
const found = await settled(volume.stdout);
new command.local.Command("layer", { create: "cat", stdin: \`on \${found ?? "later"}\`, ...quiet });
export default { found: found ?? "later" };
`;

let program: SmallProgram;
before(async () => {
  program = await SmallProgram.create(PROGRAM);
});
after(() => program[Symbol.dispose]());

const pulumi = (args: readonly string[], capacity = "echo vol-1") => program.pulumi(args, { CAPACITY: capacity });

test("a first preview does not wait for what it cannot know; a failure is told once; then the value is known, in previews too", async () => {
  const preview = await pulumi(["preview"]);
  assert.equal(preview.code, 0, preview.stdout);
  assert.match(preview.stdout, /\+ 4 to create/);

  const failed = await pulumi(["up", "--yes", "--skip-preview"], "echo 'error[AWS_CAPACITY]: none' >&2; exit 1");
  assert.notEqual(failed.code, 0);
  assert.match(failed.stdout, /error: capacity failed; what waits for it did not run\n/);
  assert.match(failed.stdout, /error\[AWS_CAPACITY\]: none\n/);
  assert.doesNotMatch(failed.stdout, /unhandled exception|node_modules/);

  const up = await pulumi(["up", "--yes", "--skip-preview"]);
  assert.equal(up.code, 0, up.stdout);
  assert.match(up.stdout, /found: "vol-1"/);
  const known = await pulumi(["preview", "--expect-no-changes"]);
  assert.equal(known.code, 0, known.stdout);
});
