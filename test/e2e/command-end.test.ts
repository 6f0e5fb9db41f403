/** How commands end before their time: by Ctrl-C, and with an engine that is killed. By the command plugin under test. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { local } from "../support/command-stack.ts";
import { conforms } from "../support/conformance.ts";
import { descendants, type Process, processes } from "../support/proc-tree.ts";
import { type Running, sendSignal } from "../support/process.ts";

/** Waits for a moment; answers what was there then. */
async function until<T>(what: string, found: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const there = found();
    if (there !== undefined) return there;
    await sleep(50);
  }
  assert.fail(`${what} did not come`);
}

async function begun(running: Running): Promise<void> {
  await running.outputMatches(/ begun\n/);
}

conforms("Ctrl-C ends a running command by SIGKILL, and leaves nothing of it", async (stack) => {
  const running = stack.startUp({ ended: local({ create: "echo begun; exec sleep 300" }) });
  await begun(running);
  running.signal("SIGINT");
  const { code, stdout } = await running.done;
  assert.notEqual(code, 0);
  assert.match(stdout, /error: signal: killed: running "echo begun; exec sleep 300":/);
  assert.equal((await stack.state())["ended"], undefined);
});

conforms("after Ctrl-C the run waits for children of the command that hold its output, and shows what they say", async (stack) => {
  const running = stack.startUp({ ended: local({ create: "(until [ -e go-on ]; do sleep 0.05; done; echo last words) & echo begun; wait" }) });
  await begun(running);
  running.signal("SIGINT");
  await running.outputMatches(/[Cc]ancelling/);
  assert.ok(!running.ended);
  writeFileSync(stack.path("go-on"), "");
  const { stdout } = await running.done;
  assert.match(stdout, /error: signal: killed: running/);
  assert.match(stdout, /^ +last words$/m);
});

/** What the engine's command plugin has started, and the plugin itself. */
function ofPlugin(engine: number): readonly Process[] {
  const own = descendants(engine).filter(({ command }) => /pulumi\/command\/main\.ts|pulumi-resource-command/.test(command));
  return own.flatMap((each) => [each, ...descendants(each.pid)]);
}

/** `timeout`, and what it runs. */
const buildOf = (all: readonly Process[]) => all.filter(({ command }) => command.endsWith("sleep 99.25"));

conforms("neither plugin nor command outlives an engine that is killed; a build does, which has a process group of its own", async (stack) => {
  // As host scripts start `nix build`.
  const running = stack.startUp({ builds: local({ create: "timeout 100 sleep 99.25 >build.log 2>&1 </dev/null & echo begun; sleep 99.5; echo never" }) });
  await begun(running);
  // The shell says that it has begun before its children are the programs that they become.
  const started = await until("the build and the command", () => {
    const all = ofPlugin(running.pid);
    return buildOf(all).length === 2 && all.some(({ command }) => command === "sleep 99.5") ? all : undefined;
  });
  const build = buildOf(started);
  const others = started.filter(({ pid }) => !build.some((each) => each.pid === pid));
  const alive = (which: readonly Process[]) => {
    const now = processes().filter(({ zombie }) => !zombie);
    return which.filter(({ pid, command }) => now.some((each) => each.pid === pid && each.command === command));
  };
  try {
    running.signal("SIGKILL");
    await running.done;
    await until("the end of the plugin and its command", () => (alive(others).length === 0 ? true : undefined));
    assert.deepEqual(alive(build), build);
  } finally {
    for (const { pid } of alive(started)) sendSignal(pid, "SIGKILL");
  }
  await stack.recover();
  await stack.up({ builds: local({ create: "echo again" }) });
  assert.equal((await stack.state())["builds"]?.outputs["stdout"], "again");
}, "killed engine");
