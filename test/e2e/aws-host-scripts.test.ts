/** The scripts that call AWS on the hosts themselves, by the real AWS CLI, against a server that answers like AWS. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import ssh2 from "ssh2";
import { cacheAnswer, parseAnswer } from "../../infra/answers.ts";
import { newSigningKey, publicKeyOf } from "../../infra/config/signing-key.ts";
import { askScript, failsWith } from "../support/aws-scripts.ts";
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
    writeFileSync(join(state, "instance.json"), JSON.stringify({ hostRole: "build-host", region: "us-east-1", disk: "/", namespace: null, metrics: { disk: false, work: false }, idleMinutes: 20, ...settings }));
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
    "a session of Systems Manager": { pgrep: '[ "$1 $2" = "-x ssm-session-wor" ] && echo 100' },
    "a build": { pgrep: '[ "$1" = -G ]' },
    "a command that outlives its session": { pgrep: '[ "$1" = -u ] || exit 1; printf "100 systemd\\n101 (sd-pam)\\n102 nix\\n"' },
  };
  for (const [what, programs] of Object.entries(work)) {
    test(`${what} keeps the host awake`, async () => {
      const { stopped, idleFor } = await watch(programs, 100);
      assert.deepEqual([stopped, idleFor < 1], [false, true]);
    });
  }

  test("a user's service manager alone is no work", async () => {
    assert.equal((await watch({ pgrep: '[ "$1" = -u ] || exit 1; printf "100 systemd\\n101 (sd-pam)\\n"' }, 100)).stopped, true);
  });

  test("tells CloudWatch how full the disk is and what the host does, where somebody wants to know", async () => {
    aws.rules([]);
    await watch({}, 7);
    assert.deepEqual(aws.calls(), []);
    await watch({}, 7, { namespace: "comfyui/disk", metrics: { disk: true, work: false } });
    assert.deepEqual(Object.keys(await metrics("comfyui/disk", "Role", "build-host")), ["DiskUsed"]);
    await watch({}, 7, { namespace: "comfyui/idle", metrics: { disk: false, work: true } });
    assert.deepEqual(await metrics("comfyui/idle", "Role", "build-host"), { Building: 0, IdleMinutes: 7, Sessions: 0 });
    await watch({ ...work["a build"], ss: "printf 'ESTAB 1\\nESTAB 2\\n'" }, 7, { namespace: "comfyui/busy", metrics: { disk: false, work: true } });
    assert.deepEqual(await metrics("comfyui/busy", "Role", "build-host"), { Building: 1, IdleMinutes: 0, Sessions: 2 });
    assert.equal(aws.calls().length, 3, "one call for all of them");
  });

  test("a host without the way to CloudWatch stops all the same", async () => {
    aws.rules([{ call: "put-metric-data", error: "Throttling" }]);
    assert.equal((await watch({}, 30, { namespace: "comfyui/team", metrics: { disk: true, work: true } })).stopped, true);
  });
});

/** What CloudWatch has of this namespace: the largest value of each metric with this dimension. */
async function metrics(namespace: string, dimension: string, value: string): Promise<Record<string, number>> {
  const list = (await aws.ask("cloudwatch", "list-metrics", "--namespace", namespace, "--dimensions", `Name=${dimension},Value=${value}`, "--query", "Metrics[].MetricName")) as string[];
  const [from, to] = [-3600, 3600].map((seconds) => new Date(Date.now() + seconds * 1000).toISOString());
  const largest = (name: string) => aws.ask("cloudwatch", "get-metric-statistics", "--namespace", namespace, "--metric-name", name, "--dimensions", `Name=${dimension},Value=${value}`, "--statistics", "Maximum", "--period", "60", "--start-time", from as string, "--end-time", to as string, "--query", "Datapoints[0].Maximum");
  return Object.fromEntries(await Promise.all(list.sort().map(async (name) => [name, (await largest(name)) as number])));
}

describe("metrics.sh", () => {
  const answer = { layer: "layer6-app", seconds: 12.5, built: 3, substituted: 0, blobs: [{ size: 40 }, { size: 2 }] };
  const settings = { region: "us-east-1", namespace: "comfyui/layers", metrics: { disk: false, work: true } };
  let at = 0;

  /** Reports the answer as build-layer.sh does, on a host with these settings; `aws`: a program in the CLI's place. */
  async function report(answer: object, instance: object | undefined, cli?: string): Promise<Result> {
    const folder = join(aws.folder, `report-${++at}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "answer.json"), JSON.stringify(answer));
    if (instance !== undefined) writeFileSync(join(folder, "instance.json"), JSON.stringify(instance));
    const path = cli === undefined ? {} : { PATH: `${standIns({ aws: cli })}:${aws.env["PATH"]}` };
    const script = `set -euo pipefail; . ${CHECKOUT}/infra/hosts/metrics.sh; report_layer "$1"`;
    return run("bash", ["-c", script, "report", join(folder, "answer.json")], { env: { ...aws.env, COMFYUI_INSTANCE: join(folder, "instance.json"), ...path }, allowFailure: true });
  }

  test("tells CloudWatch what a built layer took", async () => {
    aws.rules([]);
    const { code, stdout, stderr } = await report(answer, settings);
    assert.deepEqual([code, stdout, stderr], [0, "", ""]);
    assert.deepEqual(await metrics("comfyui/layers", "Layer", "layer6-app"), { Built: 3, Bytes: 42, Seconds: 12.5, Substituted: 0 });
    assert.equal(aws.calls().length, 1);
  });

  test("calls nothing for a layer that was there, on a host without AWS, and on one that is not asked to", async () => {
    aws.rules([]);
    for (const [built, instance] of [[0, settings], [3, undefined], [3, { ...settings, metrics: { disk: true, work: false } }]] as const) {
      assert.equal((await report({ ...answer, built }, instance)).code, 0);
    }
    assert.deepEqual(aws.calls(), []);
  });

  test("a CLI that fails is told of, one that hangs is waited for ten seconds", async () => {
    aws.rules([{ call: "put-metric-data", error: "AccessDenied" }]);
    const refused = await report(answer, settings);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /AccessDenied/);
    const start = Date.now();
    assert.notEqual((await report(answer, settings, "exec sleep 60")).code, 0);
    assert.ok(Date.now() - start < 13_000);
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

describe("open-cache.sh", () => {
  const [signingKey, other] = [newSigningKey("team-1"), newSigningKey("team-1")];
  let at = 0;

  /** A team's two secrets: that of the signing key has a value, that of the push key has none yet. */
  async function secretsOf(stack: string): Promise<{ region: string; signingKey: string; pushKey: string }> {
    aws.rules([]);
    const names = { region: "us-east-1", signingKey: `comfyui/${stack}/cache-signing-key`, pushKey: `comfyui/${stack}/cache-push-key` };
    await aws.ask("secretsmanager", "create-secret", "--name", names.signingKey, "--secret-string", signingKey);
    await aws.ask("secretsmanager", "create-secret", "--name", names.pushKey);
    return names;
  }

  /** A host that has nothing yet, with a Nix store of its own. */
  function newHost(): string {
    const folder = join(aws.folder, `host-${++at}`);
    mkdirSync(folder);
    return folder;
  }

  function open(host: string, secrets: object, tries = 1): Promise<Result> {
    const push = { host: "cache.example", port: 22, user: "comfyui-push", hostKey: "ssh-ed25519 AAAA" };
    const cache = { kind: "nix-serve", name: "team-1", publicKey: publicKeyOf(signingKey), secrets, trusted: [], onFailure: "fail", url: "http://cache.example", push, auth: null };
    const env = { PATH: `${standIns({ sleep: "exit 0" })}:${aws.env["PATH"]}`, COMFYUI_KEYS: join(host, "keys"), COMFYUI_STATE: join(host, "state"), NIX_REMOTE: join(host, "store"), COMFYUI_TRIES: `${tries}` };
    return askScript(aws, "open-cache", { stack: "team", cache, substituters: [] }, env);
  }

  const file = (host: string, name: string) => readFileSync(join(host, "keys", name), "utf8");
  const valueOf = async (name: string) => aws.ask("secretsmanager", "get-secret-value", "--secret-id", name, "--query", "SecretString");

  test("fetches the signing key; the first host's push key is kept, and is the next host's; neither is in a call's words or on record", async () => {
    const secrets = await secretsOf("team");
    const [first, second] = [newHost(), newHost()];
    const opened = await open(first, secrets);
    assert.equal(opened.code, 0, opened.stderr);
    const { publicKey, pushKey } = parseAnswer(cacheAnswer, opened.stdout);
    assert.equal(publicKey, publicKeyOf(signingKey));
    assert.equal(file(first, "nix-serve.secret"), `${signingKey}\n`);
    assert.equal(await valueOf(secrets.pushKey), file(first, "push"), "kept as it is");
    for (const name of ["nix-serve.secret", "push"]) assert.equal(statSync(join(first, "keys", name)).mode & 0o777, 0o600, name);

    const next = await open(second, secrets);
    assert.equal(next.code, 0, next.stderr);
    assert.equal(parseAnswer(cacheAnswer, next.stdout).pushKey, pushKey);
    assert.equal(file(second, "push"), file(first, "push"));
    const words = aws.calls();
    assert.equal(words.filter((call) => call.includes("put-secret-value")).length, 1, "the next host writes none");
    const told = [...words, opened.stderr, next.stderr, readFileSync(join(first, "state/cache.json"), "utf8")].join("\n");
    for (const secret of [signingKey.split(":")[1] as string, file(first, "push").split("\n")[1] as string]) assert.ok(!told.includes(secret));
    assert.deepEqual(readdirSync(join(second, "keys")).filter((name) => name.includes(".new")), []);
  });

  test("AWS_CACHE_KEY: a role that may not read or write, and a secret that is gone; what was made is kept at the next run", async () => {
    const secrets = await secretsOf("refused");
    const host = newHost();
    aws.rules([{ call: "get-secret-value", error: "AccessDeniedException" }]);
    await failsWith(open(host, secrets, 2), "AWS_CACHE_KEY", "comfyui/refused/cache-signing-key cannot be read from", "AccessDeniedException", "role");
    assert.equal(aws.calls().length, 2, "what a role is newly allowed it may do some seconds later");
    assert.throws(() => file(host, "nix-serve.secret"));
    aws.rules([{ call: "put-secret-value", error: "AccessDeniedException" }]);
    await failsWith(open(host, secrets), "AWS_CACHE_KEY", "comfyui/refused/cache-push-key cannot be written to");
    const made = file(host, "push");
    aws.rules([]);
    assert.equal((await open(host, secrets)).code, 0);
    assert.deepEqual([file(host, "push"), await valueOf(secrets.pushKey)], [made, made]);
    await failsWith(open(newHost(), { ...secrets, signingKey: "comfyui/gone/cache-signing-key" }, 3), "AWS_CACHE_KEY", "ResourceNotFoundException");
  });

  test("CACHE_KEY_INVALID: a secret that holds no key, or another one; the host keeps the keys that it has", async () => {
    const secrets = await secretsOf("odd");
    const host = newHost();
    assert.equal((await open(host, secrets)).code, 0);
    const had = [file(host, "nix-serve.secret"), file(host, "push")];
    const put = (name: string, value: string) => aws.ask("secretsmanager", "put-secret-value", "--secret-id", name, "--secret-string", value);
    await put(secrets.pushKey, "no key");
    await failsWith(open(host, secrets), "CACHE_KEY_INVALID", "the secret comfyui/odd/cache-push-key holds no SSH private key");
    await put(secrets.signingKey, "no key");
    await failsWith(open(host, secrets), "CACHE_KEY_INVALID", "comfyui/odd/cache-signing-key is no Nix signing key", "pulumi up --replace '**comfyui-binary-cache-keys-signing-version'");
    await put(secrets.signingKey, other);
    await failsWith(open(host, secrets), "CACHE_KEY_INVALID", `found:    ${publicKeyOf(other)}`, `expected: ${publicKeyOf(signingKey)}`);
    assert.deepEqual([file(host, "nix-serve.secret"), file(host, "push")], had);
  });

  test("REQUEST_INVALID: names of secrets that are not all there", async () => {
    aws.rules([]);
    await failsWith(open(newHost(), { region: "us-east-1", signingKey: "s" }), "REQUEST_INVALID", "the request lacks .cache.secrets.pushKey");
    assert.deepEqual(aws.calls(), []);
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
