/** What is told of a host before any command is sent to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError } from "../../infra/faults.ts";
import { fingerprintOf, publicLineOf } from "../../infra/ssh/host-key.ts";
import { againAfter } from "../../infra/ssh/login.ts";
import { lookFor, patienceOf, probe } from "../../infra/ssh/probe.ts";
import { InProcessSsh, privateKey } from "../support/in-process-ssh.ts";
import { freePort } from "../support/ports.ts";

delete process.env["SSH_AUTH_SOCK"];
const now = () => String(Math.floor(Date.now() / 1000));
const quick = { patience: 0, say: () => undefined };

/** The one fault that comes of it, as a user sees it. */
async function faultOf(run: Promise<unknown>): Promise<string> {
  const error = await run.then(() => assert.fail("no fault was thrown"), (thrown: unknown) => thrown);
  assert.ok(error instanceof FaultError, String(error));
  return error.message;
}

test("a host that is there, is the one meant, lets us in and has the right time", async () => {
  await using host = await InProcessSsh.start({ answer: now });
  await probe(host.target, quick);
  assert.deepEqual(host.asked, ["date +%s"]);
});

test("a host with several keys is asked for the pinned one", async () => {
  const keys = [privateKey("ecdsa"), privateKey()];
  for (const key of keys) {
    await using host = await InProcessSsh.start({ answer: now, hostKeys: keys });
    await probe({ ...host.target, hostKey: publicLineOf(key) }, quick);
  }
});

test("HOST_KEY_MISMATCH comes at once, with both fingerprints; also where the host has no key of the pinned type", async () => {
  for (const type of ["ed25519", "ecdsa"] as const) {
    await using host = await InProcessSsh.start({ answer: now });
    const pinned = publicLineOf(privateKey(type));
    const message = await faultOf(probe({ ...host.target, hostKey: pinned }, { patience: 60, say: () => assert.fail("it waited") }));
    assert.match(message, /^error\[HOST_KEY_MISMATCH\]: comfyui@127\.0\.0\.1 \(port \d+\): the host shows another key/);
    assert.ok(message.includes(`found:    ${fingerprintOf(host.target.hostKey)}\n`) && message.includes(`expected: ${fingerprintOf(pinned)}\n`), message);
    assert.deepEqual(host.asked, []);
  }
});

test("HOST_LOGIN_REFUSED comes at once, for a key that the host does not accept and for none at all, and shows no key", async () => {
  await using host = await InProcessSsh.start({ answer: now });
  const other = privateKey();
  const refused = await faultOf(probe({ ...host.target, privateKey: other }, { patience: 60, say: () => assert.fail("it waited") }));
  assert.match(refused, /^error\[HOST_LOGIN_REFUSED\]: .*the host does not let the user comfyui in/);
  assert.ok(!other.split("\n").some((line) => line.length > 30 && refused.includes(line)));
  assert.match(await faultOf(probe({ ...host.target, privateKey: undefined }, quick)), /error\[HOST_LOGIN_REFUSED\].*\n {2}found: {4}no privateKey in the configuration, and no SSH agent/);
});

test("HOST_UNREACHABLE comes when the patience is over, and the last reason with it", async () => {
  const said: string[] = [];
  const target = { host: "127.0.0.1", port: await freePort(), user: "comfyui", hostKey: publicLineOf(privateKey()), privateKey: privateKey() };
  const message = await faultOf(probe(target, { patience: 2, say: (line) => said.push(line) }));
  assert.match(message, /^error\[HOST_UNREACHABLE\]: .*did not answer within 2 s\n {2}found: {4}.*ECONNREFUSED/);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /^waiting for comfyui@127\.0\.0\.1 \(port \d+\): .*ECONNREFUSED.* \(0 of 2 s\)$/);
});

test("a host that answers within the patience is waited for", async () => {
  await using host = await InProcessSsh.start({ answer: now });
  const port = await freePort();
  const late = { ...host.target, port };
  const probed = probe(late, { patience: 20, say: () => undefined });
  const { createServer, connect } = await import("node:net");
  const forwarder = createServer((socket) => void socket.pipe(connect(host.target.port, "127.0.0.1")).pipe(socket));
  setTimeout(() => forwarder.listen(port, "127.0.0.1"), 700);
  await probed.finally(() => forwarder.close());
});

test("HOST_CLOCK_SKEW names how far the clock is off, and which way", async (t) => {
  // Stands still, at a whole second: the answer could cross one on its way.
  t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  for (const [off, words] of [[300, "300 s ahead"], [-90, "90 s behind"]] as const) {
    await using host = await InProcessSsh.start({ answer: () => String(Math.round(Date.now() / 1000) + off) });
    assert.match(await faultOf(probe(host.target, quick)), new RegExp(`error\\[HOST_CLOCK_SKEW\\].*\\n {2}found: {4}${words}\\n {2}expected: at most 60 s`));
  }
});

test("a jump host is passed through, each with its own key and login", async () => {
  await using jump = await InProcessSsh.start();
  await using host = await InProcessSsh.start({ answer: now });
  await probe({ ...host.target, jump: jump.target }, quick);
  assert.deepEqual(jump.asked, [`forward 127.0.0.1:${host.target.port}`]);
  assert.match(await faultOf(probe({ ...host.target, jump: { ...jump.target, hostKey: host.target.hostKey } }, quick)), new RegExp(`HOST_KEY_MISMATCH\\]: comfyui@127.0.0.1 \\(port ${jump.target.port}\\)`));
  assert.match(await faultOf(probe({ ...host.target, port: await freePort(), jump: jump.target }, quick)), /HOST_UNREACHABLE/);
});

test("HOST_SOURCES_MISSING: a host that lost the stack's sources", async () => {
  let there = "there\n";
  await using host = await InProcessSsh.start({ answer: () => there });
  await lookFor("comfyui/dev/infra", host.target);
  there = "";
  assert.match(await faultOf(lookFor("comfyui/dev/infra", host.target)), /error\[HOST_SOURCES_MISSING\].*\n {2}found: {4}no comfyui\/dev\/infra\n.*\n {2}fix: {6}.*pulumi up/);
});

test("the patience is ten minutes unless COMFYUI_HOST_PATIENCE says otherwise", () => {
  assert.deepEqual([{}, { COMFYUI_HOST_PATIENCE: "5" }, { COMFYUI_HOST_PATIENCE: "0" }, { COMFYUI_HOST_PATIENCE: "soon" }].map(patienceOf), [600, 5, 0, 600]);
});

test("a command is sent again when its connection was cut and the host is there again, and only then", async () => {
  const target = { host: "build.example", port: 22, user: "comfyui", hostKey: "" };
  const gone = "wait: remote command exited without exit status or exit signal: running \"exec bash x\":\nlayer6-app: building";
  let looks = 0;
  const again = (errors: string[]) => againAfter(errors, target, async () => void looks++);
  assert.deepEqual([await again([gone]), looks], [true, 1]);
  assert.deepEqual([await again(["after 10 failed attempts: dial tcp 10.0.0.7:22: connect: connection refused"]), looks], [true, 2]);
  // A command that failed by itself, whatever it says.
  assert.deepEqual([await again(["Process exited with status 1: running \"exec bash x\":\nconnection reset by peer"]), looks], [false, 2]);
  await assert.rejects(againAfter([gone], target, () => Promise.reject(new Error("still down"))), /still down/);
  assert.match(await faultOf(again(Array.from({ length: 6 }, () => gone))), /error\[HOST_CONNECTION_LOST\]: comfyui@build\.example: .*cut 6 times.*\n {2}found: {4}wait: remote command exited/);
});
