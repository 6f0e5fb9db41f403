/** One stack under both command plugins in turn, where the official one is there; else the stand-in follows itself. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CommandStack, plugin } from "../support/command-stack.ts";
import { everyKind } from "../support/command-state.ts";
import { EMPTY_STORE, Sandbox } from "../support/sandbox.ts";
import { SshServer } from "../support/ssh-server.ts";

let machine: Sandbox;
let server: SshServer;

before(async () => {
  machine = await Sandbox.create({ store: EMPTY_STORE });
  server = await SshServer.start(machine);
});
after(() => machine?.stop());

test("a state goes from the stand-in to the plugin under test and back: nothing runs again, and changes go on from it", async () => {
  using first = await CommandStack.create({ use: "stand-in" });
  using second = await CommandStack.create({ use: plugin });
  const wanted = (edition: string) => everyKind(edition, server);
  for (const stack of [first, second]) writeFileSync(stack.path("asset.txt"), "an asset\n");
  await first.up(wanted("1"));
  assert.equal(readFileSync(join(server.home, "asset.txt"), "utf8"), "an asset\n");

  for (const [edition, from, to] of [["2", first, second], ["3", second, first]] as const) {
    const state = await from.state();
    await to.import(await from.exported());
    const before = String(Number(edition) - 1);
    assert.deepEqual(await to.preview(wanted(before)), {});
    assert.match((await to.up(wanted(before))).stdout, /Resources:\n +8 unchanged\n/);
    assert.deepEqual(await to.state(), state);
    await to.up(wanted(edition));
    assert.equal((await to.state())["waits"]?.outputs["stdout"], edition);
  }
  assert.deepEqual([first.file("made"), second.file("made")], ["made\nupdated\n", "updated\n"]);
  assert.equal((await first.destroy()).code, 0);
  assert.match(first.file("made"), /^deleted$/m);
});
