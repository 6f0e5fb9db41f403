/** A change of the key that signs a cache: the steps, and that nobody is refused between them. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { switchKey, trustKeys } from "../../infra/ops/cache/key-file.ts";
import { keysAfter, nextKeyName, nextKeyStep } from "../../infra/ops/cache/key-steps.ts";

test("the steps in their order", () => {
  const keys = { next: undefined, current: "a", trusted: [], applied: true, unsigned: 0 };
  assert.equal(nextKeyStep(keys), undefined);
  assert.deepEqual(nextKeyStep({ ...keys, next: "b" }), { step: "start", up: false }, "cut off after the key was made");
  assert.deepEqual(nextKeyStep({ ...keys, next: "b", trusted: ["b"], applied: false }), { step: "switch", up: true });
  assert.deepEqual(nextKeyStep({ ...keys, next: "b", trusted: ["b"] }), { step: "switch", up: false });
  assert.deepEqual(nextKeyStep({ ...keys, current: "b", trusted: ["a"], unsigned: 3 }), { step: "sign", up: false });
  assert.deepEqual(nextKeyStep({ ...keys, current: "b", trusted: ["a"] }), { step: "finish", up: false });
  assert.deepEqual(["team-1", "team-9", "team", "comfyui-71d4a048-1"].map((name) => nextKeyName(`${name}:AAAA`)), ["team-2", "team-10", "team-2", "comfyui-71d4a048-2"]);
});

/** What may happen between two steps: a push, an `up`, a kill before the step's end, a look by another reader. */
const events = fc.array(fc.constantFrom("step", "cut", "push", "up"), { maxLength: 60 });

test("whatever is pushed, and whenever it is cut off: each reader takes each path, and in the end the new key alone is trusted", () => {
  fc.assert(
    fc.property(events, (happened) => {
      let keys: Parameters<typeof keysAfter>[1] = { next: undefined, current: "old", trusted: [] };
      let hosts = keys;
      let elsewhere = new Set(["old"]);
      const paths: Set<string>[] = [new Set(["old"])];
      const unsigned = () => paths.filter((path) => !path.has(keys.current)).length;
      const coming = () => nextKeyStep({ ...keys, applied: hosts.current === keys.current && hosts.trusted.join() === keys.trusted.join(), unsigned: unsigned() });
      const advance = (cut: boolean) => {
        const next = coming() ?? (keys.current === "old" ? { step: "start" as const, up: false } : undefined);
        if (next === undefined || next.up) return;
        if (next.step === "start") {
          keys = { ...keys, next: keys.next ?? "new" };
          if (cut) return;
        }
        // As the help says: before the switch everyone trusts the new key, before the end one may forget the old.
        if (next.step === "switch") elsewhere = new Set(["old", "new"]);
        if (next.step === "finish") elsewhere = new Set(["new"]);
        if (next.step !== "sign") keys = keysAfter(next.step, keys);
        else for (const path of cut ? paths.slice(0, 1) : paths) path.add(keys.current);
      };
      const look = () => {
        for (const path of paths) {
          const ok = (trusted: Iterable<string>) => [...trusted].some((key) => path.has(key));
          assert.ok(ok([hosts.current, ...hosts.trusted]) && ok(elsewhere), `${[...path]} by ${[...elsewhere]}, ${JSON.stringify({ keys, hosts })}`);
        }
      };
      const doOne = { step: () => advance(false), cut: () => advance(true), push: () => paths.push(new Set([hosts.current])), up: () => (hosts = keys) };
      for (const event of [...happened, ...Array(8).fill(["step", "up"]).flat()] as (keyof typeof doOne)[]) {
        doOne[event]();
        look();
      }
      assert.deepEqual([keys, hosts, coming()], [{ next: undefined, current: "new", trusted: [] }, keys, undefined]);
      assert.ok(paths.every((path) => path.has("new")));
    }),
    { numRuns: 1000 },
  );
});

test("a stack's file: the secrets stay as they are encrypted, and comments where they are", () => {
  const root = mkdtempSync(join(tmpdir(), "comfyui-key-"));
  try {
    mkdirSync(join(root, "stacks"));
    const file = join(root, "stacks/Pulumi.dev.yaml");
    writeFileSync(file, "# ours\nconfig:\n  comfyui:binaryCache:\n    kind: s3 # a bucket\n    signingKey:\n      secure: v1:old\n  comfyui-ops:nextSigningKey:\n    secure: v1:new\n");
    const config = () => (parse(readFileSync(file, "utf8")) as { config: Record<string, unknown> }).config;
    trustKeys(root, "dev", ["new:1"]);
    assert.deepEqual(config()["comfyui:binaryCache"], { kind: "s3", signingKey: { secure: "v1:old" }, trusted: ["new:1"] });
    switchKey(root, "org/comfyui/dev", ["old:1"]);
    assert.deepEqual(config(), { "comfyui:binaryCache": { kind: "s3", signingKey: { secure: "v1:new" }, trusted: ["old:1"] } });
    trustKeys(root, "dev", []);
    assert.deepEqual(config(), { "comfyui:binaryCache": { kind: "s3", signingKey: { secure: "v1:new" } } });
    assert.match(readFileSync(file, "utf8"), /^# ours\nconfig:\n {2}comfyui:binaryCache:\n {4}kind: s3 # a bucket$/m);
  } finally {
    rmSync(root, { recursive: true });
  }
});
