/** A state of the official command plugin: whoever takes it over runs nothing again, and goes on with it. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { CHECKOUT } from "../support/checkout.ts";
import { CommandStack, commandsIn, secret } from "../support/command-stack.ts";
import { everyKind } from "../support/command-state.ts";

const given = readFileSync(`${CHECKOUT}/test/fixtures/command-state.json`, "utf8");

let stack: CommandStack;
before(async () => {
  stack = await CommandStack.create();
  writeFileSync(stack.path("asset.txt"), "an asset\n");
  await stack.import(given);
});
after(() => stack?.[Symbol.dispose]());

test("a preview and an up find nothing to do, and leave the state of all commands and of the plugin as it is", async () => {
  assert.deepEqual(await stack.preview(everyKind("1")), {});
  const { stdout } = await stack.up(everyKind("1"));
  assert.match(stdout, /Resources:\n +8 unchanged\n/);
  assert.equal(stack.file("made"), "");
  assert.deepEqual(await stack.state(), commandsIn(given));
});

test("what changes is named as ever, and goes on from what the state has", async () => {
  assert.deepEqual(await stack.preview(everyKind("2")), {
    plain: { op: "update", diff: { stdin: "update" } },
    hidden: { op: "update", diff: { stdin: "update" } },
    waits: { op: "update", diff: { stdin: "update" } },
  });
  await stack.up(everyKind("2"));
  const before = commandsIn(given);
  const now = await stack.state();
  assert.equal(stack.file("made"), "updated\n");
  assert.deepEqual(now["hidden"]?.outputs["stdout"], secret('{"password":"2"}'));
  assert.equal(now["waits"]?.outputs["stdout"], "2");
  for (const name of ["idle", "there", "through", "copy"]) assert.deepEqual(now[name], before[name], name);
});

test("a destroy runs the lines that the state has", async () => {
  assert.equal((await stack.destroy()).code, 0);
  assert.deepEqual(stack.file("made").split("\n").sort(), ["", "deleted", "idle", "updated"]);
  assert.deepEqual(await stack.state(), {});
});
