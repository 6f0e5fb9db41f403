/** The image as a container of Docker's, the way people start it: read-only, without capabilities, as whoever they are. */
import assert from "node:assert/strict";
import { appendFileSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Docker } from "../support/docker.ts";
import { firstAnswer } from "../support/http.ts";
import { outputs } from "../support/outputs.ts";
import { freePort } from "../support/ports.ts";
import type { Result } from "../support/process.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";
import { makeWheel, type WheelSpec } from "../support/wheel.ts";

const LOCKED_DOWN = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
const FOLDERS = ["custom_nodes", "input", "models", "output", "user"];

let sandbox: Sandbox;
let docker: Docker;
let image: string;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "comfyui-runtime-"));
  sandbox = await warmSandbox();
  docker = await Docker.start();
  image = await load();
});
after(async () => {
  await docker.stop();
  await sandbox.stop();
  rmSync(folder, { recursive: true });
});

/** The image of the sandbox's sources, by its id: the name goes to the newest. */
async function load(): Promise<string> {
  const { stdout } = await sandbox.run("nix", ["run", "path:./layers#load"], { env: docker.env });
  return (await docker.run(["inspect", "--format={{.Id}}", stdout.trim()])).stdout.trim();
}

let folders = 0;
/** A folder of the host's, of that owner. */
function owned(uid: number, ...parts: readonly string[]): string {
  const made = join(folder, ...(parts.length > 0 ? parts : [`data-${++folders}`]));
  mkdirSync(made, { recursive: true });
  chownSync(made, uid, uid);
  return made;
}

interface Container {
  readonly id: string;
  readonly url: string;
  exec(...command: readonly string[]): Promise<Result>;
  /** Docker kills what has not ended after 3 s (code 137); answers the exit code. */
  stop(): Promise<number>;
}

/** Starts the image for good and waits for its first answer. On the host's network: the test's Docker has no port forwarding. */
async function serve(options: readonly string[], command: readonly string[] = [], of = image): Promise<Container> {
  const port = await freePort();
  const address = ["--listen", "127.0.0.1", "--port", `${port}`];
  const { stdout } = await docker.run(["run", "--detach", "--network=host", ...LOCKED_DOWN, ...options, of, ...command, ...address]);
  const [id, url] = [stdout.trim(), `http://127.0.0.1:${port}`];
  const response = await firstAnswer(`${url}/system_stats`, async () => (await docker.run(["logs", id])).stderr);
  assert.equal(response.status, 200);
  return {
    id,
    url,
    exec: (...line) => docker.run(["exec", id, ...line], { allowFailure: true }),
    async stop() {
      await docker.run(["stop", "--time", "3", id]);
      return Number((await docker.run(["inspect", "--format={{.State.ExitCode}}", id])).stdout);
    },
  };
}

/** Runs the image until it ends by itself. */
function once(options: readonly string[], ...command: readonly string[]): Promise<Result> {
  return docker.run(["run", "--rm", "--network=none", ...LOCKED_DOWN, ...options, image, ...command], { allowFailure: true, timeout: 60_000 });
}

/** What a node wants that the image can live with, what it cannot, and what would replace a locked package. */
const WHEELS: readonly WheelSpec[] = [
  { name: "node_dependency", version: "1.0", requires: ["numpy>=2"], command: "node-dependency" },
  { name: "wants_old", version: "1.0", requires: ["numpy<2"] },
  { name: "numpy", version: "1.26.4" },
];

function writeWheels(into: string): void {
  for (const { file, bytes } of WHEELS.map(makeWheel)) writeFileSync(join(into, file), bytes);
}

const QUICK = "--quick-test-for-ci";

test("any user: it serves, makes its folders as that user, is healthy, and stops at once", async (t) => {
  for (const [who, uid] of [["the image's own user", 1000], ["a user that no passwd file has", 54321], ["uid 0, as rootless engines have it", 0]] as const) {
    await t.test(who, async () => {
      const data = owned(uid);
      const container = await serve([`--user=${uid}:${uid}`, `--volume=${data}:/data`]);
      for (const name of [...FOLDERS, "home", "temp", "venv"]) assert.equal(statSync(join(data, name)).uid, uid, name);
      assert.equal((await container.exec("comfyui-health")).stdout, "healthy\n");
      const { stdout } = await container.exec("python", "-c", "import getpass, os; print(getpass.getuser(), os.path.expanduser('~'), os.access(os.path.expanduser('~'), os.W_OK))");
      assert.equal(stdout, "comfyui /data/home True\n");
      assert.equal(await container.stop(), 0);
    });
  }
});

test("a mount for each folder, and nothing else to write to but /tmp", async () => {
  const data = owned(0);
  const mounts = FOLDERS.map((name) => {
    mkdirSync(join(data, name));
    return `--volume=${owned(1000, `each/${name}`)}:/data/${name}`;
  });
  const run = await once([`--volume=${data}:/data:ro`, ...mounts], QUICK);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /^notice: \/data\/venv cannot be used \(Read-only file system: .*\): Python packages of custom nodes are not seen/m);
  const more = await once([`--volume=${data}:/data:ro`, ...mounts.map((mount) => mount.replace(/models$/, "models:ro"))], QUICK);
  assert.equal(more.code, 0, more.stderr);
  assert.match(more.stderr, /^notice: \/data\/models cannot be written \(Read-only file system\)/m);
});

test("a custom node's packages", async (t) => {
  const wheels = owned(1000, "wheels");
  writeWheels(wheels);
  const data = owned(1000);
  const mounts = [`--volume=${data}:/data`, `--volume=${wheels}:/wheels:ro`];
  const works = async (container: Container) => {
    const program = "import node_dependency, numpy, sys; print(node_dependency.version, numpy.__version__.split('.')[0], sys.prefix)";
    assert.equal((await container.exec("python", "-c", program)).stdout, "1.0 2 /data/venv\n");
    assert.equal((await container.exec("node-dependency")).stdout, "node_dependency 1.0\n");
  };
  const first = await serve(mounts);
  const pip = (...args: readonly string[]) => first.exec("pip", "install", "--no-index", "--find-links=/wheels", ...args);
  const site = join(data, "venv/lib/python3.14/site-packages");

  await t.test("are installed on the volume, and of what the image has nothing", async () => {
    const before = readdirSync(site);
    const { code, stdout, stderr } = await pip("node_dependency", "numpy", "pip");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Requirement already satisfied: numpy in \/nix\/store\//);
    assert.deepEqual(readdirSync(site).filter((name) => !before.includes(name) && name !== "__pycache__"), ["node_dependency", "node_dependency-1.0.dist-info"]);
    assert.equal((await first.exec("pip", "check")).code, 0);
    await works(first);
  });

  await t.test("that would replace one of the image's are refused, by name and version, whoever asks for it", async () => {
    for (const wanted of ["wants_old", "numpy<2", "numpy==1.26.4"]) {
      for (const prefix of [[], ["env", "-u", "PIP_CONSTRAINT"]]) {
        const { code, stdout, stderr } = await first.exec(...prefix, "python", "-m", "pip", "install", "--no-index", "--find-links=/wheels", wanted);
        assert.equal(code, 1, `${prefix.join(" ")} ${wanted}`);
        assert.match(`${stdout}${stderr}`, /The user requested \(constraint\) numpy==2\./);
      }
    }
    assert.ok(!existsSync(join(site, "wants_old")) && !existsSync(join(site, "numpy")));
  });

  await t.test("that are forced in all the same do not come before the image's", async () => {
    const forced = await first.exec("env", "PIP_CONSTRAINT=/dev/null", "pip", "install", "--no-index", "--find-links=/wheels", "--no-deps", "numpy==1.26.4");
    assert.equal(forced.code, 0, forced.stderr);
    assert.ok(existsSync(join(site, "numpy")));
    await works(first);
  });

  await t.test("are there after a restart", async () => {
    await docker.run(["restart", first.id]);
    await firstAnswer(`${first.url}/system_stats`, async () => (await docker.run(["logs", first.id])).stderr);
    await works(first);
    assert.match((await docker.run(["logs", first.id])).stderr, /^notice: numpy-1\.26\.4 in \/data\/venv is not used: the image has the package itself$/m);
    await first.stop();
  });

  await t.test("are there with another image, none of whose store paths are the old ones", async () => {
    appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
    const second = await serve(mounts, [], await load());
    await works(second);
    const pth = readFileSync(join(site, "00-image.pth"), "utf8");
    const [store = ""] = pth.match(/\/nix\/store\/[^/']+/) ?? [];
    assert.equal((await second.exec("test", "-d", store)).code, 0, pth);
    assert.match((await second.exec("pip", "install", "--no-index", "numpy<2")).stderr, /ResolutionImpossible/);
    await second.stop();
    const back = await serve(mounts);
    assert.equal((await back.exec("test", "-d", store)).code, 1, "the first image has another");
    await works(back);
    await back.stop();
  });
});

test("uv sees the image's packages, adds to them and replaces none", async () => {
  const [venv, wheels] = [`${sandbox.at}/tmp/venv`, `${sandbox.at}/tmp/wheels`];
  mkdirSync(sandbox.host(wheels));
  writeWheels(sandbox.host(wheels));
  // uv is not in the image, and does not run there: it wants a loader at a fixed place. The entry point runs here as well.
  const layer = (await outputs(sandbox)).layers["layer6-app"]?.storePath;
  const env = { COMFYUI_VENV: venv, VIRTUAL_ENV: venv, PATH: `${venv}/bin:${layer}/bin:${sandbox.env["PATH"]}`, UV_CONSTRAINT: `${layer}/share/image/constraints.txt` };
  const uv = (...args: readonly string[]) => sandbox.run(`${layer}/bin/entrypoint`, ["uv", "pip", ...args, "--no-index", "--find-links", wheels], { env, allowFailure: true });
  const installed = await uv("install", "node_dependency", "numpy");
  assert.equal(installed.code, 0, installed.stderr);
  assert.match(installed.stderr, /^Installed 1 package in .*\n \+ node-dependency==1\.0$/m);
  for (const wanted of ["wants_old", "numpy<2"]) {
    const refused = await uv("install", wanted);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /requirements are unsatisfiable/);
  }
  const { stdout } = await sandbox.run(`${venv}/bin/python`, ["-c", "import node_dependency, numpy; print(node_dependency.version, numpy.__version__.split('.')[0])"]);
  assert.equal(stdout, "1.0 2\n");
});

test("Docker's health check: good, and bad where the program answers but nothing can be saved", async () => {
  const data = owned(1000);
  // A start period of nothing would be the image's own.
  const health = ["--health-interval=1s", "--health-retries=1", "--health-start-period=1ms"];
  const status = async ({ id }: Container, wanted: string) => {
    for (let tries = 0; tries < 60; tries++) {
      const { stdout } = await docker.run(["inspect", "--format={{json .State.Health}}", id]);
      const found = JSON.parse(stdout) as { Status: string; Log: { Output: string }[] };
      if (found.Status === wanted) return found.Log.map(({ Output }) => Output).join("");
      await sleep(250);
    }
    throw new Error(`never ${wanted}`);
  };
  const good = await serve([...health, `--volume=${data}:/data`]);
  assert.match(await status(good, "healthy"), /^healthy$/m);
  await good.stop();
  // As a command the program starts without the entry point's own look at the volume.
  const bad = await serve([...health, `--volume=${data}:/data:ro`], ["comfyui", "--base-directory", "/data"]);
  assert.match(await status(bad, "unhealthy"), /\/data\/output cannot be written: Read-only file system/);
  assert.equal((await fetch(`${bad.url}/system_stats`)).status, 200);
});

test("RUN_VOLUME: a folder of somebody else's, with uid, path and remedy, and nothing started", async () => {
  const data = owned(4242);
  const run = await once([`--volume=${data}:/data`], QUICK);
  assert.equal(run.code, 73);
  assert.match(run.stderr, /^error\[RUN_VOLUME\]: \/data\/output, \/data\/input, .*: cannot be written: results are saved there/);
  assert.match(run.stderr, /found: {4}Permission denied; this runs as 1000:1000; \/data belongs to 4242:4242, mode 0755\n/);
  assert.match(run.stderr, /fix: {6}start with --user 4242:4242; or give the volume to 1000:1000: chown -R 1000:1000 /);
  assert.deepEqual(readdirSync(data), []);
});

test("a GPU flavor without a GPU: RUN_GPU_MISSING and every other fault at once; with --cpu it starts", async () => {
  const gpu = ["--env=COMFYUI_NVIDIA_DRIVER=580", "--env=LD_LIBRARY_PATH=/usr/lib64"];
  const refused = await once([...gpu, `--volume=${owned(4242)}:/data`], QUICK);
  assert.equal(refused.code, 69);
  assert.match(refused.stderr, /^error\[RUN_GPU_MISSING\]: .*\n {2}found: {4}no device .*; no libcuda\.so\.1 in \/usr\/lib64\n/);
  assert.match(refused.stderr, /^error\[RUN_VOLUME\]: /m);
  const started = await once([...gpu, "--env=CLI_ARGS=--cpu", `--volume=${owned(1000)}:/data`], QUICK);
  assert.deepEqual([started.code, started.stderr], [0, ""]);
});

test("what is no command line: RUN_OPTIONS, RUN_COMMAND_UNKNOWN, RUN_COMMAND_DENIED, with the exit codes that shells have", async () => {
  const volume = `--volume=${owned(1000)}:/data`;
  const rows = [
    [64, /^error\[RUN_OPTIONS\]: CLI_ARGS: /, ["--env=CLI_ARGS=--cpu '"], []],
    [127, /^error\[RUN_COMMAND_UNKNOWN\]: no-such-command: /, [], ["no-such-command"]],
    [126, /^error\[RUN_COMMAND_DENIED\]: \/data: /, [], ["/data"]],
  ] as const;
  for (const [code, says, options, command] of rows) {
    const run = await once([volume, ...options], ...command);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, says);
  }
  assert.equal((await once([volume], "sh", "-c", "exit 3")).code, 3, "a command's own exit code");
});

test("custom nodes that an upper layer brings load beside those of the volume; CLI_ARGS come before the container's own options", async () => {
  const data = owned(1000);
  const node = (name: string) => `NODE_CLASS_MAPPINGS = {"${name}": type("${name}", (), {})}\n`;
  const brought = owned(1000, "nodes", "brought");
  writeFileSync(join(brought, "__init__.py"), node("FromTheImage"));
  mkdirSync(join(data, "my base/custom_nodes/own"), { recursive: true });
  writeFileSync(join(data, "my base/custom_nodes/own/__init__.py"), node("FromTheVolume"));
  for (const path of ["my base", "my base/custom_nodes", "my base/custom_nodes/own"]) chownSync(join(data, path), 1000, 1000);
  const container = await serve([`--volume=${join(folder, "nodes")}:/opt/nodes:ro`, "--env=COMFYUI_NODES=/opt/nodes", "--env=CLI_ARGS=--base-directory '/data/my base'", `--volume=${data}:/data`]);
  const nodes = (await (await fetch(`${container.url}/object_info`)).json()) as object;
  assert.deepEqual(Object.keys(nodes).sort(), ["FromTheImage", "FromTheVolume"]);
  const { system } = (await (await fetch(`${container.url}/system_stats`)).json()) as { system: { argv: string[] } };
  assert.ok(system.argv.indexOf("/data/my base") < system.argv.lastIndexOf("--port"), system.argv.join(" "));
  assert.ok(system.argv.includes("sqlite:////data/my base/user/comfyui.db"));
  await container.stop();
});
