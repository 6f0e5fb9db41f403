/** command:local:Command, by the command plugin under test and the real engine: what runs when, and what the state has of it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type Declared, local, secret, stdoutOf } from "../support/command-stack.ts";
import { conforms } from "../support/conformance.ts";

const alone = (name: string, declared: Declared) => ({ [name]: declared });

conforms("a state has the inputs, and what a command wrote without the line feed at its end; a second up runs nothing", async (stack) => {
  const line = "echo one; echo; echo bad >&2; echo ran >> ran";
  const args = { create: line, stdin: "in", triggers: [{ "a/b": "1" }, true, 2], addPreviousOutputInEnv: false, logging: "stderr" };
  await stack.up(alone("kept", local(args)));
  const { kept } = await stack.state();
  assert.match(kept?.id ?? "", /^kept[0-9a-f]{8}$/);
  assert.deepEqual(kept?.inputs, args);
  assert.deepEqual(kept?.outputs, { ...args, stdout: "one\n", stderr: "bad" });
  assert.deepEqual(await stack.preview(alone("kept", local(args))), {});
  await stack.up(alone("kept", local(args)));
  assert.deepEqual(await stack.state(), { kept });
  assert.equal(stack.file("ran"), "ran\n");
  assert.equal((await stack.refresh()).code, 0);
});

conforms("every input but triggers is an update, named by its path: `update` runs, else `create`; triggers replace", async (stack) => {
  const args = { create: "echo created >> order", stdin: "a", triggers: [{ "a/b": "1", c: "1" }, "x"] };
  await stack.up(alone("changed", local(args)));
  const step = async (changed: Declared) => (await stack.preview(alone("changed", changed)))["changed"];
  assert.deepEqual(await step(local({ ...args, stdin: "b", create: "true", delete: "true", logging: "none" })), {
    op: "update",
    diff: { create: "update", delete: "add", logging: "add", stdin: "update" },
  });
  assert.deepEqual(await step(local({ create: args.create, triggers: args.triggers })), { op: "update", diff: { stdin: "delete" } });
  assert.deepEqual(await step(local({ ...args, triggers: [{ "a/b": "2", c: "1" }, "x", "y"] })), {
    op: "replace",
    diff: { 'triggers[0]["a/b"]': "update-replace", "triggers[2]": "add-replace" },
  });
  assert.deepEqual(await step(local({ create: args.create, stdin: "a" })), { op: "replace", diff: { triggers: "delete-replace" } });

  await stack.up(alone("changed", local({ ...args, stdin: "b" })));
  await stack.up(alone("changed", local({ ...args, stdin: "c", update: "echo updated >> order; cat" })));
  assert.equal(stack.file("order"), "created\ncreated\nupdated\n");
  assert.equal((await stack.state())["changed"]?.outputs["stdout"], "c");
});

conforms("a replacement is made before the old one is deleted, by the old one's own line and input", async (stack) => {
  const lines = (edition: string) => ({ create: `echo create ${edition} >> replaced`, delete: "echo delete $(cat) >> replaced", update: "exit 1" });
  const made = (edition: string) => alone("replaced", local({ ...lines(edition), stdin: edition, triggers: [edition] }));
  await stack.up(made("1"));
  await stack.up(made("2"));
  assert.equal(stack.file("replaced"), "create 1\ncreate 2\ndelete 1\n");
  await stack.up({});
  assert.equal(stack.file("replaced"), "create 1\ncreate 2\ndelete 1\ndelete 2\n");
});

conforms("the output before is in the environment of the next line, unless it is not wanted", async (stack) => {
  const line = "echo \"$PULUMI_COMMAND_STDOUT/$PULUMI_COMMAND_STDERR\"; echo bad >&2";
  const args = { create: line, delete: "echo \"$PULUMI_COMMAND_STDOUT\" > deleted" };
  await stack.up({ wanted: local({ ...args, stdin: "1" }), unwanted: local({ create: line, addPreviousOutputInEnv: false, stdin: "1" }) });
  await stack.up({ wanted: local({ ...args, stdin: "2" }), unwanted: local({ create: line, addPreviousOutputInEnv: false, stdin: "2" }) });
  const { wanted, unwanted } = await stack.state();
  assert.deepEqual([wanted?.outputs["stdout"], unwanted?.outputs["stdout"]], ["//bad", "/"]);
  await stack.up({});
  assert.equal(stack.file("deleted"), "//bad\n");
});

conforms("a stack whose last output is larger than a variable can be is updated and destroyed", async (stack) => {
  const args = { create: "head -c 200000 /dev/zero | tr '\\0' x", delete: "echo gone > large", logging: "none" };
  await stack.up(alone("large", local(args)));
  await stack.up(alone("large", local({ ...args, stdin: "again" })));
  await stack.up({});
  assert.equal(stack.file("large"), "gone\n");
}, "large previous output");

conforms("a command without lines is a resource all the same", async (stack) => {
  await stack.up(alone("idle", local({ stdin: "1" })));
  await stack.up(alone("idle", local({ stdin: "2" })));
  assert.deepEqual((await stack.state())["idle"]?.outputs, { stdin: "2", stdout: "", stderr: "" });
});

conforms("a failed command is an error with its end, its line and its words, and leaves nothing; a failed update leaves what was", async (stack) => {
  const { stdout } = await stack.failing(alone("fails", local({ create: "echo why >&2; echo also; exit 3" })));
  assert.match(stdout, /error: exit status 3: running "echo why >&2; echo also; exit 3":\n/);
  assert.match(stdout, /^ +why$/m);
  assert.match(stdout, /^ +also$/m);
  assert.equal((await stack.state())["fails"], undefined);

  const args = { create: "cat", stdin: "1" };
  await stack.up(alone("fails", local(args)));
  const before = await stack.state();
  assert.match((await stack.failing(alone("fails", local({ ...args, update: "kill -9 $$" })))).stdout, /error: signal: killed: running/);
  assert.deepEqual(await stack.state(), before);
  assert.match((await stack.failing(alone("fails", local({ ...args, update: "kill $$" })))).stdout, /error: signal: terminated: running/);
});

conforms("a failed delete leaves the resource, and the next one tries again", async (stack) => {
  await stack.up(alone("stays", local({ create: "true", delete: "test -e leave" })));
  assert.match((await stack.failing({})).stdout, /error: exit status 1: running "test -e leave"/);
  assert.deepEqual(Object.keys(await stack.state()), ["stays"]);
  writeFileSync(stack.path("leave"), "");
  await stack.up({});
  assert.deepEqual(Object.keys(await stack.state()), []);
});

conforms("an error quotes the end of a long output", async (stack) => {
  const { stdout } = await stack.failing(alone("long-failure", local({ create: "seq 1000000; exit 4", logging: "none" })));
  assert.match(stdout, /error: exit status 4: running/);
  assert.match(stdout, /^ +1000000$/m);
  assert.ok(stdout.length < 100_000, `${stdout.length} characters`);
}, "whole output quoted");

conforms("a preview knows that it does not know: what waits for a changed command may change, and is run only where it does", async (stack) => {
  const second = local({ create: "cat; echo ran >> second", stdin: stdoutOf("first"), triggers: ["same"] });
  const pair = (line: string) => ({ first: local({ create: line }), second });
  const created = await stack.preview(pair("echo 1"));
  assert.deepEqual([created["first"]?.op, created["second"]?.op], ["create", "create"]);
  await stack.up(pair("echo 1"));
  const changed = { first: { op: "update", diff: { create: "update" } }, second: { op: "update", diff: { stdin: "update" } } };
  assert.deepEqual(await stack.preview(pair("echo 1; true")), changed);
  await stack.up(pair("echo 1; true"));
  assert.equal(stack.file("second"), "ran\n");
  await stack.up(pair("echo 2"));
  assert.equal(stack.file("second"), "ran\nran\n");
  assert.equal((await stack.state())["second"]?.outputs["stdout"], "2");
});

conforms("an unknown value in triggers, among others, is a replacement that may be", async (stack) => {
  const pair = (line: string) => ({ first: local({ create: line }), second: local({ create: "true", triggers: [{ of: stdoutOf("first") }] }) });
  await stack.up(pair("echo 1"));
  assert.deepEqual((await stack.preview(pair("echo 1; true")))["second"], { op: "replace", diff: { "triggers[0].of": "update-replace" } });
});

conforms("a secret input stays a secret in the state, and its output where it is said to be one; a new secret is an update", async (stack) => {
  const args = { create: secret("cat"), stdin: secret("hush"), triggers: [{ plain: "1", hidden: secret("t") }] };
  const holding = (stdin: ReturnType<typeof secret> | string) => alone("hidden", local({ ...args, stdin }, { additionalSecretOutputs: ["stdout"] }));
  const hidden = (stdin: string) => holding(secret(stdin));
  await stack.up(hidden("hush"));
  const { hidden: state } = await stack.state();
  assert.deepEqual(state?.inputs, args);
  assert.deepEqual(state?.outputs, { ...args, stdout: secret("hush"), stderr: "" });
  assert.deepEqual(await stack.preview(hidden("hush")), {});
  assert.deepEqual(await stack.preview(hidden("other")), { hidden: { op: "update", diff: { stdin: "update" } } });
  assert.deepEqual(await stack.preview(holding("hush")), { hidden: { op: "update", diff: { stdin: "update" } } });
});

conforms("a secret is neither in the messages of its command nor in its error", async (stack) => {
  const args = { create: secret("cat; echo 'of two lines' >&2; exit 5"), stdin: secret("hush-hush\nof two lines\n") };
  const { stdout } = await stack.failing(alone("tells", local(args)));
  assert.match(stdout, /error: exit status 5: running "\[secret\]":/);
  assert.doesNotMatch(stdout, /hush-hush|of two lines/);
}, "secrets shown");

conforms("lines are shown while the command runs, of the streams that were asked for", async (stack) => {
  const line = "echo to-out; echo to-err >&2; until [ -e seen ]; do sleep 0.05; done";
  const running = stack.startUp({
    both: local({ create: line }),
    out: local({ create: "echo only-out; echo not-err >&2", logging: "stdout" }),
    none: local({ create: "echo not-out", logging: "none" }),
  });
  await running.outputMatches(/both creating.* to-out\n/);
  await running.outputMatches(/both creating.* to-err\n/);
  writeFileSync(stack.path("seen"), "");
  const { stdout, code } = await running.done;
  assert.equal(code, 0);
  assert.match(stdout, /only-out/);
  assert.doesNotMatch(stdout, /not-err|not-out/);
});

conforms("a line of 1 MB is shown by its beginning and kept whole", async (stack) => {
  await stack.up(alone("line", local({ create: "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo after" })));
  const { stdout } = (await stack.state())["line"]?.outputs ?? {};
  assert.equal(stdout, `${"x".repeat(1_000_000)}\nafter`);
}, "long lines");

conforms("a progress bar is shown step by step", async (stack) => {
  const running = stack.startUp(alone("bar", local({ create: "printf '10 percent\\r20 percent\\r'; until [ -e done ]; do sleep 0.05; done" })));
  try {
    await assert.doesNotReject(running.outputMatches(/10 percent\n/, 20_000));
  } finally {
    writeFileSync(stack.path("done"), "");
    await running.done;
  }
}, "endless progress");

conforms("10 MB of output are kept whole", async (stack) => {
  await stack.up(alone("much", local({ create: "yes 0123456789abcde | head -c 10000000", logging: "none", addPreviousOutputInEnv: false })));
  const { stdout } = (await stack.state())["much"]?.outputs ?? {};
  assert.equal(stdout, "0123456789abcde\n".repeat(625_000).trimEnd());
});

conforms("the streams are pipes, which can be opened by name, and standard input is empty where none is given", async (stack) => {
  const line = "cat /dev/stdin; test -p /dev/fd/1 && echo said > /dev/stdout; echo also > /dev/stderr; cat";
  await stack.up({ given: local({ create: line, stdin: "in\n" }), empty: local({ create: "cat; echo end", stdin: "" }) });
  const { given, empty } = await stack.state();
  assert.deepEqual([given?.outputs["stdout"], given?.outputs["stderr"], empty?.outputs["stdout"]], ["in\nsaid", "also", "end"]);
});

conforms("a command that reads none of a large input, and one whose child writes for longer, end well", async (stack) => {
  await stack.up({ deaf: local({ create: "exec true", stdin: "x".repeat(300_000) }), child: local({ create: "(sleep 1; echo late) & echo now" }) });
  assert.equal((await stack.state())["child"]?.outputs["stdout"], "now\nlate");
});

conforms("a command ends when the time of its customTimeouts is over", async (stack) => {
  const { stdout } = await stack.failing(alone("slow", local({ create: "exec sleep 300" }, { customTimeouts: { create: "1s" } })));
  assert.match(stdout, /error: signal: killed: running "exec sleep 300"/);
});

conforms("wrong inputs are told all at once, by their paths, before anything runs; so is an input that is not known", async (stack) => {
  const args = { create: "touch touched", stdin: 5, logging: "everything", environment: { A: secret("value") } };
  const { stdout } = await stack.failing(alone("wrong", local(args)));
  assert.match(stdout, /stdin expected a text, found a value of type number/);
  assert.match(stdout, /logging expected one of stdout, stderr, stdoutAndStderr, none/);
  assert.match(stdout, /environment is no input that this project's stand-in for Pulumi's command plugin knows; it knows triggers, create, /);
  assert.equal(stack.file("touched"), "");
}, "inputs not used here");
