/** The operators' commands: what they take, and what they answer. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { publicKeyOf } from "../../infra/config/signing-key.ts";
import { FaultError } from "../../infra/faults.ts";
import { helpText, parseArguments } from "../../infra/ops/arguments.ts";
import { runCommand } from "../../infra/ops/commands.ts";
import { fingerprintOf, publicLineOf } from "../../infra/ssh/host-key.ts";
import { InProcessSsh, privateKey } from "../support/in-process-ssh.ts";
import { freePort } from "../support/ports.ts";
import { assertFault, type FaultRow } from "./faults.ts";

/** What a command line writes to standard output and standard error. */
async function ops(...args: string[]): Promise<{ printed: string[]; told: string[] }> {
  const [printed, told] = [[] as string[], [] as string[]];
  await runCommand(parseArguments(args), { root: "/nowhere", print: (text) => printed.push(text), tell: (line) => told.push(line) });
  return { printed, told };
}

const key = publicLineOf(privateKey());
const bad: FaultRow<string[]>[] = [
  { code: "OPS_USAGE", input: ["host", "keys"], where: "npm run ops", says: ["there is no such command", "found:    host keys", "host key or host bootstrap or cache key or aws account or aws image"] },
  { code: "OPS_USAGE", input: ["host", "key"], where: "npm run ops", says: ["wants one host", "found:    none"] },
  { code: "OPS_USAGE", input: ["host", "key", "a", "--port", "ssh"], where: "npm run ops", says: ["--port is no port", "found:    ssh"] },
  { code: "OPS_USAGE", input: ["host", "key", "a", "--jump", "gate.example"], where: "npm run ops", says: ["--jump is no login", "USER@HOST"] },
  { code: "OPS_USAGE", input: ["host", "key", "a", "--jump", "me@gate.example"], where: "npm run ops", says: ["the jump host's own key", "found:    none"] },
  { code: "OPS_USAGE", input: ["host", "key", "a", "--jump-key", key], where: "npm run ops", says: ["belong to --jump"] },
  { code: "OPS_USAGE", input: ["host", "key", "a", "--stack", "dev"], where: "npm run ops", says: ["do not belong to host key", "found:    --stack"] },
  { code: "OPS_USAGE", input: ["host", "bootstrap", "gpu", "--stack", "dev"], where: "npm run ops", says: ["build, cache or builder"] },
  { code: "OPS_USAGE", input: ["host", "bootstrap", "builder", "0", "--stack", "dev"], where: "npm run ops", says: ["no number of a builder"] },
  { code: "OPS_USAGE", input: ["host", "bootstrap", "build"], where: "npm run ops", says: ["wants a stack"] },
  { code: "OPS_USAGE", input: ["cache", "key", "team:1"], where: "npm run ops", says: ["no name of a key"] },
  { code: "OPS_USAGE", input: ["cache", "key", "team-1", "--colour"], where: "npm run ops", says: ["the arguments are not understood", "--colour"] },
  { code: "OPS_USAGE", input: ["aws", "account"], where: "npm run ops", says: ["wants one region", "eu-central-1"] },
  { code: "OPS_USAGE", input: ["aws", "image"], where: "npm run ops", says: ["wants a stack"] },
  { code: "OPS_USAGE", input: ["aws", "image", "gpu", "--stack", "dev"], where: "npm run ops", says: ["nothing but a stack"] },
];
for (const row of bad) test(`OPS_USAGE: ${row.input.join(" ")}`, () => assertFault(row, parseArguments));

test("help names every command and option", async () => {
  assert.deepEqual(await ops("--help"), { printed: [helpText], told: [] });
  assert.deepEqual(await ops(), { printed: [helpText], told: [] });
  for (const word of ["host key", "host bootstrap", "cache key", "aws account", "aws image", "--port", "--jump", "--jump-key", "--identity", "--stack", "--json"]) assert.ok(helpText.includes(word), word);
});

test("host key: the line for the configuration, and the fingerprint that ssh-keygen shows of it", async () => {
  await using host = await InProcessSsh.start({ hostKeys: [privateKey("ecdsa"), privateKey()] });
  const { printed, told } = await ops("host", "key", "127.0.0.1", "--port", String(host.target.port));
  const [line = ""] = printed;
  assert.match(line, /^ssh-ed25519 [A-Za-z0-9+/]+=*$/);
  const shown = execFileSync("ssh-keygen", ["-lf", "-"], { input: line, encoding: "utf8" }).split(" ")[1];
  assert.equal(told[0]?.split(" ")[0], shown);
  const json = await ops("host", "key", "127.0.0.1", "--port", String(host.target.port), "--json");
  assert.deepEqual(JSON.parse(json.printed[0] ?? ""), { host: "127.0.0.1", port: host.target.port, hostKey: line, fingerprint: fingerprintOf(line) });
  assert.deepEqual(host.asked, [], "nobody logged in");
});

test("host key through a jump host, whose own key is known", async () => {
  await using jump = await InProcessSsh.start();
  await using host = await InProcessSsh.start();
  const folder = mkdtempSync(join(tmpdir(), "comfyui-ops-"));
  try {
    writeFileSync(join(folder, "id"), jump.target.privateKey ?? "");
    const args = ["host", "key", "127.0.0.1", "--port", String(host.target.port), "--jump", `comfyui@127.0.0.1:${jump.target.port}`, "--identity", join(folder, "id"), "--jump-key"];
    assert.deepEqual((await ops(...args, jump.target.hostKey)).printed, [host.target.hostKey]);
    await assert.rejects(ops(...args, key), (error) => error instanceof FaultError && /HOST_KEY_MISMATCH/.test(error.message));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("host key of a host that is down is HOST_UNREACHABLE at once", async () => {
  await assert.rejects(ops("host", "key", "127.0.0.1", "--port", String(await freePort())), (error) => error instanceof FaultError && /^error\[HOST_UNREACHABLE\]: 127\.0\.0\.1 .*\n {2}found: {4}.*ECONNREFUSED/.test(error.message));
});

test("cache key: the secret alone on standard output, the public half on standard error, as Nix derives it", async () => {
  const { printed, told } = await ops("cache", "key", "team-1");
  assert.equal(execFileSync("nix", ["key", "convert-secret-to-public"], { input: printed[0], encoding: "utf8" }), told[0]);
  assert.match(told[0] ?? "", /^team-1:/);
  const { signingKey, publicKey } = JSON.parse((await ops("cache", "key", "team-2", "--json")).printed[0] ?? "") as Record<string, string>;
  assert.equal(publicKeyOf(signingKey ?? ""), publicKey);
});
