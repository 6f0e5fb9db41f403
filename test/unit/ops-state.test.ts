/** What the operators' commands read of a stack's state. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { FaultError } from "../../infra/faults.ts";
import { StackState } from "../../infra/ops/state.ts";

const SECRET = "4dabf18193072939515e22adb298388d";
const hidden = (value: unknown) => ({ [SECRET]: "1b47061264138c4ac30d75fd1eb44270", plaintext: JSON.stringify(value) });
const urn = (name: string) => `urn:pulumi:team::comfyui::comfyui:image:Publish$command:remote:Command::${name}`;
const hop = { host: "build.example", port: 22, user: "comfyui", hostKey: "ssh-ed25519 AAAA" };

function state(...resources: object[]): StackState {
  return new StackState("team", { version: 3, deployment: { resources } });
}

test("a command's answer and request, and the stack's outputs, with secrets in clear", () => {
  const known = state(
    { urn: "urn:pulumi:team::comfyui::pulumi:pulumi:Stack::comfyui-team", type: "pulumi:pulumi:Stack", outputs: { image: hidden({ tag: "a" }) } },
    { urn: urn("comfyui-cache"), type: "command:remote:Command", inputs: { stdin: hidden('{"a":1}') }, outputs: { stdout: hidden('{"b":2}') } },
    { urn: urn("comfyui-host"), type: "command:remote:Command" },
  );
  assert.deepEqual(known.outputs, { image: { tag: "a" } });
  assert.deepEqual(known.request("comfyui-cache", z.object({ a: z.number() })), { a: 1 });
  assert.deepEqual(known.answer("comfyui-cache", z.object({ b: z.number() })), { b: 2 });
  assert.equal(known.answer("comfyui-host", z.unknown()), undefined);
  assert.equal(known.answer("comfyui-none", z.unknown()), undefined);
});

test("the build host: this machine, one over SSH, one behind another", () => {
  const at = (inputs: object) => state({ urn: urn("comfyui-host"), type: "command:remote:Command", inputs }).buildHost("/project");
  assert.deepEqual(at({}), { here: "/project" });
  assert.deepEqual(at({ connection: hidden({ ...hop, dialErrorLimit: 10 }) }), { there: hop, folder: "comfyui/team" });
  assert.deepEqual(at({ connection: { ...hop, privateKey: hidden("PEM"), proxy: hop } }), { there: { ...hop, privateKey: "PEM", jump: hop }, folder: "comfyui/team" });
});

test("OPS_NOT_UP: a stack without a build host", () => {
  assert.throws(() => state().buildHost("/project"), (error) => error instanceof FaultError && /^error\[OPS_NOT_UP\]: stack team: nothing was built/.test(error.message));
  assert.throws(() => new StackState("team", { version: 3, deployment: {} }).buildHost("/project"), FaultError);
});
