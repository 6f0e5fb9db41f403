import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { backendFolder, isLivePulumi, isPulumi, lockState, parseOwner, readLocks } from "../../infra/quickstart/locks.ts";
import { splitPending } from "../../infra/recover.ts";

const owner = { pid: 42, hostname: "here", username: "me", timestamp: "2026-01-01T00:00:00Z" };

test("a backend's folder is percent-encoded in its URL; other backends have none", () => {
  assert.equal(backendFolder("file:///a%20b/100%25"), "/a b/100%");
  assert.equal(backendFolder("s3://bucket"), undefined);
  assert.equal(backendFolder(""), undefined);
});

test("a lock's owner: alive, dead, or where nobody can look", () => {
  assert.equal(lockState({ file: "x", owner }, "here", () => true), "alive");
  assert.equal(lockState({ file: "x", owner }, "here", () => false), "dead");
  assert.equal(lockState({ file: "x", owner }, "there", () => true), "elsewhere");
});

test("a lock that was cut off while written has a dead owner", () => {
  for (const text of ["", '{"pid":4', "null", '{"pid":"4","hostname":"here"}']) assert.deepEqual(parseOwner(text), {}, text);
  assert.deepEqual(parseOwner(JSON.stringify(owner)), { owner });
  assert.equal(lockState({ file: "x" }, "here", () => true), "dead");
});

test("only a running pulumi is a live owner: no zombie, no other program with its number", () => {
  assert.equal(isLivePulumi("32677 (pulumi) S 1 32677 0"), true);
  assert.equal(isLivePulumi("32677 (pulumi) Z 1 32677 0"), false);
  assert.equal(isLivePulumi("32677 (x) y) S 1"), false);
  assert.equal(isLivePulumi(""), false);
  assert.equal(isPulumi(process.pid), false);
  assert.equal(isPulumi(2 ** 22 + 1), false);
});

test("locks of this stack only", (context) => {
  const backend = mkdtempSync(join(tmpdir(), "locks-"));
  context.after(() => rmSync(backend, { recursive: true }));
  assert.deepEqual(readLocks(backend, "comfyui", "local"), []);
  for (const stack of ["local", "other"]) {
    const folder = join(backend, ".pulumi/locks/organization/comfyui", stack);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "1.json"), JSON.stringify(owner));
    writeFileSync(join(folder, "1.json.attrs"), "{}");
  }
  assert.deepEqual(readLocks(backend, "comfyui", "local"), [{ file: join(backend, ".pulumi/locks/organization/comfyui/local/1.json"), owner }]);
});

test("cut off operations of commands can be forgotten, others not", () => {
  const pending = ["command:local:Command", "command:remote:Command", "aws:ec2/instance:Instance"].map((type) => ({ type: "creating", resource: { urn: type, type } }));
  const { commands, others } = splitPending(pending);
  assert.deepEqual(commands.map(({ resource }) => resource.type), ["command:local:Command", "command:remote:Command"]);
  assert.deepEqual(others.map(({ resource }) => resource.type), ["aws:ec2/instance:Instance"]);
});
