/** The operators' commands: what they take, and what they answer. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Command } from "commander";
import { publicKeyOf } from "../../infra/config/signing-key.ts";
import { FaultError } from "../../infra/faults.ts";
import { opsProgram, runOps } from "../../infra/ops/program.ts";
import { fingerprintOf, publicLineOf } from "../../infra/ssh/host-key.ts";
import { InProcessSsh, privateKey } from "../support/in-process-ssh.ts";
import { opsContext } from "../support/ops-context.ts";
import { freePort } from "../support/ports.ts";

/** What a command line writes to standard output and standard error, and its exit code. */
async function ops(...args: string[]): Promise<{ printed: string[]; told: string[]; code: number }> {
  const [printed, told] = [[] as string[], [] as string[]];
  const code = await runOps(args, opsContext({ show: (text) => printed.push(text.trimEnd()), tell: (line) => told.push(line) }));
  return { printed, told, code };
}

const key = publicLineOf(privateKey());
const bad: readonly (readonly [args: readonly string[], problem: string])[] = [
  [["hosts"], "unknown command 'hosts' (Did you mean host?)"],
  [["host"], "a command is missing"],
  [["host", "keys", "a"], "unknown command 'keys' (Did you mean key?)"],
  [["host", "key"], "missing required argument 'host'"],
  [["host", "key", "a", "b"], "too many arguments for 'key'. Expected 1 argument but got 2: a, b."],
  [["host", "key", "a", "--port", "ssh"], "option '--port <port>' argument 'ssh' is invalid. 1 to 65535 is expected"],
  [["host", "key", "a", "--jump", "gate.example"], "option '--jump <login>' argument 'gate.example' is invalid. USER@HOST or USER@HOST:PORT is expected"],
  [["host", "key", "a", "--jump", "me@gate.example"], "--jump wants the jump host's own key: --jump-key 'TYPE BASE64', as `host key` prints it"],
  [["host", "key", "a", "--jump-key", key], "--jump-key and --identity belong to --jump, which is not there"],
  [["host", "key", "a", "--stack", "dev"], "unknown option '--stack'"],
  [["host", "bootstrap", "gpu", "--stack", "dev"], "'gpu' is no role: build, cache or builder"],
  [["host", "bootstrap", "builder", "0", "--stack", "dev"], "'0' is no number of a builder: 1 or more"],
  [["cache", "key", "team:1"], "'team:1' is no name of a key: letters, digits and . _ -"],
  [["cache", "key", "team-1", "--colour"], "unknown option '--colour'"],
  [["aws", "account"], "missing required argument 'region'"],
  [["aws", "image", "gpu", "--stack", "dev"], "too many arguments for 'image'. Expected 0 arguments but got 1: gpu."],
];
for (const [args, problem] of bad) {
  test(`OPS_USAGE: ${args.join(" ")}`, async () => {
    await assert.rejects(ops(...args), (error) => {
      assert.ok(error instanceof FaultError);
      assert.deepEqual(error.faults, [{ code: "OPS_USAGE", where: "npm run ops", problem }]);
      return true;
    });
  });
}

/** Every command, without the groups. */
function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

test("help names every group; a command's has its options, examples and the exit codes", async () => {
  const said: string[] = [];
  const program = opsProgram(opsContext({}));
  program.configureOutput({ writeOut: (text) => said.push(text) }).outputHelp();
  for (const { name } of program.commands.map((each) => ({ name: each.name() }))) assert.match(said.join(""), new RegExp(`^ {2}${name} `, "m"));
  for (const command of leaves(program)) {
    const shown: string[] = [];
    command.configureOutput({ writeOut: (text) => shown.push(text) }).outputHelp();
    for (const part of ["--json", "Examples:\n", "npm run --silent ops -- ", "Exit codes: "]) assert.ok(shown.join("").includes(part), `${command.name()}: ${part}`);
  }
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
