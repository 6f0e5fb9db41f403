/**
 * How set-up builds Pulumi's engine, and how it downloads the official one: its own shell functions, with a small Go module and a small
 * server in the places of the real ones. The real engine is built where `npm test` sets up a new machine.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { goProgram } from "../support/go.ts";
import { type Result, run } from "../support/process.ts";
import { shellParts } from "../support/set-up.ts";
import { zip } from "../support/wheel.ts";

const folder = mkdtempSync(join(tmpdir(), "comfyui-engine-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const MODULE = "example.test/small";
const PROXY = join(folder, "proxy");
let go: string;

/** The module's archive as a proxy serves it (https://go.dev/ref/mod#goproxy-protocol): a program that says its version. */
function serveModule(version: string, remark: string): void {
  const at = join(PROXY, MODULE, "@v");
  mkdirSync(at, { recursive: true });
  const mod = `module ${MODULE}\n\ngo 1.22\n`;
  const program = `// ${remark}\npackage main\n\nimport "os"\n\nvar Version string\n\nfunc main() { os.Stdout.WriteString(Version + "\\n") }\n`;
  writeFileSync(join(at, "list"), `${version}\n`);
  writeFileSync(join(at, `${version}.info`), JSON.stringify({ Version: version, Time: "2026-01-01T00:00:00Z" }));
  writeFileSync(join(at, `${version}.mod`), mod);
  writeFileSync(join(at, `${version}.zip`), zip([[`${MODULE}@${version}/go.mod`, mod], [`${MODULE}@${version}/main.go`, program]]));
}

/** A go.mod that requires it, and the go.sum that Go itself makes for it; Go's own packages are compiled once for all tests. */
async function requireModule(at: string): Promise<void> {
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "go.mod"), `module engine\n\ngo 1.22\n\nrequire ${MODULE} v1.0.0\n`);
  writeFileSync(join(at, "tools.go"), `//go:build tools\n\npackage tools\n\nimport _ "${MODULE}"\n`);
  const own = { GOMODCACHE: join(folder, "lock"), GOCACHE: join(folder, "compiled"), GOFLAGS: "-mod=mod -modcacherw" };
  const env = { ...goEnvironment, ...own, GOTOOLCHAIN: "local", CGO_ENABLED: "0" };
  await run(go, ["build", "-trimpath", "-o", join(folder, "once"), MODULE], { cwd: at, env });
}

const goEnvironment = { ...(process.env as Record<string, string>), GOPROXY: `file://${PROXY}`, GONOSUMDB: "*", GOFLAGS: "" };

interface Setting {
  readonly downloads: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What `keep`ing the engine does, with the small module in its place; prints whether it was built, and why not. */
function build({ downloads, env = {} }: Setting): Promise<Result> {
  const [local, work] = [join(downloads, ".local"), join(downloads, "tools/.pulumi-1.0.0.work")];
  for (const made of [local, work]) mkdirSync(made, { recursive: true });
  if (!existsSync(join(work, "cache"))) cpSync(join(folder, "compiled"), join(work, "cache"), { recursive: true });
  const code = `engine=${folder}/engine engine_program=${MODULE} engine_stamp=main.Version pulumi_version=1.0.0 engine_work=$tools/.pulumi-1.0.0.work
    if keep pulumi-1.0.0-built build_engine; then echo "$keep_state"; else echo "not built: $engine_why"; fi`;
  const places = { root: folder, local_dir: local, downloads, system_path: `${dirname(go)}:${process.env["PATH"]}` };
  return run("bash", ["-c", `${shellParts}\n${code}`], { env: { ...goEnvironment, ...places, ...env } });
}

const kept = (downloads: string) => readdirSync(join(downloads, "tools")).filter((name) => !name.endsWith(".lock")).sort();
const built = (downloads: string) => join(downloads, "tools/pulumi-1.0.0-built/pulumi");

before(async () => {
  go = await goProgram();
  serveModule("v1.0.0", "as locked");
  await requireModule(join(folder, "engine"));
});

test("built from the locked modules, under the user's own settings of Go; what the build wants alone is gone afterwards", async () => {
  const downloads = join(folder, "well");
  const settings = { GOFLAGS: "-mod=vendor", GOOS: "windows", GO111MODULE: "off", GOWORK: join(folder, "no.work") };
  const { stdout, stderr } = await build({ downloads, env: settings });
  assert.equal(stdout, "installed\n", stderr);
  assert.match(stderr, /^set-up: fetching the Go modules of Pulumi 1\.0\.0$[^]*^set-up: compiling Pulumi 1\.0\.0$/m);
  assert.equal((await run(built(downloads), ["version"])).stdout, "v1.0.0\n");
  assert.deepEqual(kept(downloads), ["pulumi-1.0.0-built"]);
  assert.equal((await build({ downloads, env: { GOPROXY: "off" } })).stdout, "found\n");
});

test("a build that was cut off goes on with what it had", async () => {
  const downloads = join(folder, "again");
  // No program is compiled.
  const first = await build({ downloads, env: { GOFLAGS: "-toolexec=/bin/false" } });
  assert.match(first.stdout, /^not built: .*go: /);
  assert.deepEqual(kept(downloads), [".pulumi-1.0.0.work"]);
  assert.equal((await build({ downloads, env: { GOPROXY: "off" } })).stdout, "installed\n", "its modules are there");
  assert.deepEqual(kept(downloads), ["pulumi-1.0.0-built"]);
});

test("a module with other bytes than its hash says, and a proxy that is down: nothing is built, and why is said", async () => {
  const downloads = join(folder, "other");
  assert.match((await build({ downloads, env: { GOPROXY: "http://127.0.0.1:9" } })).stdout, /^not built: .*(refused|127\.0\.0\.1:9)/);
  serveModule("v1.0.0", "not as locked");
  try {
    assert.match((await build({ downloads })).stdout, /^not built: .*SECURITY ERROR/);
  } finally {
    serveModule("v1.0.0", "as locked");
  }
  assert.ok(!existsSync(built(downloads)));
});

test("two set-ups at once build it once", async () => {
  const downloads = join(folder, "both");
  const both = await Promise.all([build({ downloads }), build({ downloads })]);
  assert.deepEqual(both.map(({ stdout }) => stdout).sort(), ["found\n", "installed\n"].sort());
  assert.match(both.map(({ stderr }) => stderr).join(""), /waiting for another set-up, which makes pulumi-1\.0\.0-built/);
});

/** Serves an official release that breaks off in the middle the first `breaks` times. */
async function releaseServer(breaks: number) {
  const archive = join(folder, "release.tar.gz");
  mkdirSync(join(folder, "release/pulumi"), { recursive: true });
  writeFileSync(join(folder, "release/pulumi/pulumi"), Buffer.alloc(300_000, "engine"));
  await run("tar", ["-C", join(folder, "release"), "-czf", archive, "pulumi"]);
  const bytes = readFileSync(archive);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.range ?? "all");
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = bytes.subarray(from);
    const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { "content-length": rest.length, ...range });
    if (asked.length > breaks) response.end(rest);
    else response.write(rest.subarray(0, Math.ceil(rest.length / 2)), () => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked, sum: createHash("sha256").update(bytes).digest("hex"), stop: () => new Promise((resolve) => server.close(resolve)) };
}

/** Takes the release of that server, whose checksum is said to be `sum`. */
function download(url: string, sum: string, downloads: string): Promise<Result> {
  mkdirSync(join(downloads, ".local"), { recursive: true });
  const code = `download_site=${url} official=pulumi-release
    for arch in x64 arm64; do echo "${sum}  pulumi-v$pulumi_version-linux-$arch.tar.gz"; done >"$local_dir/pulumi-checksums.txt"
    if keep "$official" download_pulumi; then echo "$keep_state"; else tail -n 1 "$local_dir/download.log"; fi; ls -A "$tools"`;
  const places = { root: folder, local_dir: join(downloads, ".local"), downloads, system_path: process.env["PATH"] ?? "" };
  return run("bash", ["-c", `${shellParts}\n${code}`], { env: { ...(process.env as Record<string, string>), ...places } });
}

test("a download that breaks off goes on where it was; one with another checksum is refused and leaves nothing", async () => {
  const server = await releaseServer(2);
  try {
    const whole = await download(server.url, server.sum, join(folder, "broken"));
    assert.match(whole.stdout, /^installed\n/);
    assert.deepEqual(server.asked.map((range) => range.replace(/\d+/, "N")), ["all", "bytes=N-", "bytes=N-"]);
    const other = await download(server.url, "0".repeat(64), join(folder, "other-sum"));
    assert.match(other.stdout, /has other bytes than its checksum says\n\.pulumi-release\.lock\n$/);
  } finally {
    await server.stop();
  }
});
