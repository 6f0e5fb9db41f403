/** The scripts that call AWS on the hosts themselves, by the real AWS CLI, against a server that answers like AWS. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import ssh2 from "ssh2";
import { failsWith } from "../support/aws-scripts.ts";
import { AwsStandIn } from "../support/aws-stand-in.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { type Result, run } from "../support/process.ts";

let aws: AwsStandIn;
before(async () => {
  aws = await AwsStandIn.start();
});
after(() => aws.stop());

/** Programs that stand before the real ones, by name; each answers with this shell text. */
function standIns(programs: Readonly<Record<string, string>>): string {
  const folder = join(aws.folder, `programs-${Object.keys(programs).length}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(folder);
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/usr/bin/env bash\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

describe("watch.sh", () => {
  let state: string;
  const idle = { ss: "exit 0", pgrep: "exit 1", getent: "exit 0", id: "exit 0", systemctl: 'echo "systemctl $*" >>"$RUNTIME_DIRECTORY/done"' };

  async function watch(programs: Readonly<Record<string, string>>, minutesAgo: number, settings: object = {}): Promise<{ stopped: boolean; idleFor: number }> {
    state = join(aws.folder, `watch-${Math.random().toString(36).slice(2)}`);
    mkdirSync(state);
    writeFileSync(join(state, "busy"), "");
    const then = Date.now() / 1000 - minutesAgo * 60;
    utimesSync(join(state, "busy"), then, then);
    writeFileSync(join(state, "instance.json"), JSON.stringify({ hostRole: "build-host", region: "us-east-1", disk: "/", namespace: null, idleMinutes: 20, ...settings }));
    const path = `${standIns({ ...idle, ...programs })}:${aws.env["PATH"]}`;
    const { code, stderr } = await aws.script("aws/watch", [], { env: { PATH: path, RUNTIME_DIRECTORY: state, COMFYUI_INSTANCE: join(state, "instance.json"), COMFYUI_METRICS_NOW: "1" } });
    assert.equal(code, 0, stderr);
    let done = "";
    try {
      done = readFileSync(join(state, "done"), "utf8");
    } catch {
      // Nothing was done.
    }
    return { stopped: done === "systemctl poweroff\n", idleFor: idleMinutes() / 60_000 };
  }
  const idleMinutes = () => Date.now() - statSync(join(state, "busy")).mtimeMs;

  test("stops the host after its minutes, and not before", async () => {
    assert.equal((await watch({}, 19)).stopped, false);
    assert.equal((await watch({}, 21)).stopped, true);
    assert.equal((await watch({}, 500, { idleMinutes: 0 })).stopped, false, "0: never");
  });

  const work: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "an SSH session": { ss: "echo 'ESTAB 0 0 10.0.0.1:22 203.0.113.7:5000'" },
    "a build": { pgrep: '[ "$1" = -G ]' },
    "a command that outlives its session": { pgrep: '[ "$1" = -G ] && exit 1; printf "100 systemd\\n101 (sd-pam)\\n102 nix\\n"' },
  };
  for (const [what, programs] of Object.entries(work)) {
    test(`${what} keeps the host awake`, async () => {
      const { stopped, idleFor } = await watch(programs, 100);
      assert.deepEqual([stopped, idleFor < 1], [false, true]);
    });
  }

  test("a user's service manager alone is no work", async () => {
    assert.equal((await watch({ pgrep: '[ "$1" = -G ] && exit 1; printf "100 systemd\\n101 (sd-pam)\\n"' }, 100)).stopped, true);
  });

  test("tells CloudWatch how full the disk is and how long nothing happened, where somebody wants to know", async () => {
    aws.rules([]);
    await watch({}, 7);
    assert.deepEqual(aws.calls(), []);
    await watch({}, 7, { namespace: "comfyui/team" });
    const metrics = (await aws.ask("cloudwatch", "list-metrics", "--namespace", "comfyui/team", "--query", "Metrics[].[MetricName, Dimensions[0].Value]")) as unknown[];
    assert.deepEqual(metrics.sort(), [["DiskUsed", "build-host"], ["IdleMinutes", "build-host"]]);
  });

  test("a host without the way to CloudWatch stops all the same", async () => {
    aws.rules([{ call: "put-metric-data", error: "Throttling" }]);
    assert.equal((await watch({}, 30, { namespace: "comfyui/team" })).stopped, true);
  });
});

describe("first-boot.sh", () => {
  const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync("ed25519", { comment: "" });

  function boot(secret: string): { folder: string; result: Promise<Result> } {
    const folder = join(aws.folder, `ssh-${secret.replaceAll("/", "-")}`);
    mkdirSync(folder);
    const path = `${standIns({ systemctl: `echo "systemctl $*" >>${folder}/done; [ "$1" != is-enabled ]`, sleep: "exit 0" })}:${aws.env["PATH"]}`;
    return { folder, result: aws.script("aws/first-boot", ["us-east-1", secret], { env: { PATH: path, COMFYUI_SSH_DIR: folder, COMFYUI_TRIES: "2" } }) };
  }

  test("takes the host key from Secrets Manager, then lets the SSH server start", async () => {
    aws.rules([]);
    await aws.ask("secretsmanager", "create-secret", "--name", "comfyui/team/build-host", "--secret-string", privateKey);
    const { folder, result } = boot("comfyui/team/build-host");
    assert.equal((await result).code, 0, (await result).stderr);
    assert.equal(readFileSync(join(folder, "ssh_host_ed25519_key.pub"), "utf8").split(" ").slice(0, 2).join(" ").trim(), publicKey.trim().split(" ").slice(0, 2).join(" "));
    assert.equal((await run("stat", ["-c", "%a", join(folder, "ssh_host_ed25519_key")])).stdout, "600\n");
    assert.equal(readFileSync(join(folder, "done"), "utf8"), "systemctl unmask --runtime ssh.service ssh.socket\nsystemctl is-enabled --quiet ssh.socket\nsystemctl start ssh.service\n");
    assert.ok(!aws.calls().join("\n").includes("OPENSSH"));
  });

  /** An image without the CLI, whose packages can be had from the n-th time on. */
  function bare(after: number): { folder: string; result: Promise<Result> } {
    const folder = join(aws.folder, `bare-${after}`);
    mkdirSync(folder);
    const install = `echo "$*" >>${folder}/apt; case "$*" in *update*) [ "$(grep -c update ${folder}/apt)" -ge ${after} ] ;; *) ln -s ${aws.folder}/bin/aws ${folder}/aws ;; esac`;
    const path = `${folder}:${standIns({ systemctl: `echo "systemctl $*" >>${folder}/done; [ "$1" != is-enabled ]`, sleep: "exit 0", "apt-get": install })}`;
    const tools = ["bash", "python3", "ssh-keygen", "tail", "chmod", "mv", "uname", "env", "grep", "ln"].map((tool) => `ln -sf "$(type -P ${tool})" ${folder}/${tool}`).join("\n");
    const result = run("bash", ["-c", tools]).then(() => aws.script("aws/first-boot", ["us-east-1", "comfyui/team/build-host"], { env: { PATH: path, COMFYUI_SSH_DIR: folder, COMFYUI_TRIES: "4" } }));
    return { folder, result };
  }

  test("AWS_CLI_MISSING: the CLI is installed as soon as the host has its address, and missed where it never can be", async () => {
    const later = bare(3);
    assert.equal((await later.result).code, 0, (await later.result).stderr);
    assert.equal(readFileSync(join(later.folder, "apt"), "utf8").match(/ update\n/g)?.length, 3);
    assert.match(readFileSync(join(later.folder, "done"), "utf8"), /start ssh\.service\n$/);
    const never = bare(9);
    await failsWith(never.result, "AWS_CLI_MISSING", "Deep Learning image");
    assert.throws(() => readFileSync(join(never.folder, "done")));
  });

  test("AWS_HOST_KEY: a secret that is not there, or that holds no key, leaves the SSH server off", async () => {
    const absent = boot("comfyui/none/build-host");
    await failsWith(absent.result, "AWS_HOST_KEY", "comfyui/none/build-host", "ResourceNotFoundException");
    await aws.ask("secretsmanager", "create-secret", "--name", "comfyui/odd/build-host", "--secret-string", "no key");
    const odd = boot("comfyui/odd/build-host");
    await failsWith(odd.result, "AWS_HOST_KEY", "holds no SSH private key");
    for (const { folder } of [absent, odd]) assert.throws(() => readFileSync(join(folder, "done")));
  });
});

describe("bootstrap/instance.sh", () => {
  /** One function of it, with this program in nvidia-smi's place. */
  async function driver(nvidia: string): Promise<Result> {
    const read = (name: string) => readFileSync(join(CHECKOUT, "infra/hosts", name), "utf8");
    const text = `set -euo pipefail\nSETTINGS='{"gpu": true}'\n${read("messages.sh")}\nsetting() { jq -r "$1 // empty" <<<"$SETTINGS"; }\n${read("bootstrap/instance.sh").replace(/^bootstrap$/m, "gpu_driver")}`;
    return run("bash", ["-s"], { input: text, env: { ...aws.env, PATH: `${standIns({ "nvidia-smi": nvidia })}:${aws.env["PATH"]}` }, allowFailure: true });
  }

  test("AWS_GPU_DRIVER, AWS_GPU_MISSING: a GPU host wants a driver that CUDA 13 can use", async () => {
    assert.equal((await driver("echo 595.91.07")).code, 0);
    await failsWith(driver("echo 570.10"), "AWS_GPU_DRIVER", "570.10", "580 or newer");
    await failsWith(driver("exit 9"), "AWS_GPU_MISSING", "Deep Learning image");
  });
});
