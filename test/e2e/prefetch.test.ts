/** Prefetch where Debian or PyPI have not what is locked: real apt and pip, and a small signed mirror that a test can break. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { protocol } from "../../infra/request.ts";
import { aptWithoutMirror, type DebianMirror, debianMirror, noKeyrings } from "../support/debian-mirror.ts";
import { fileServer, folderServer } from "../support/file-server.ts";
import { type GitRepository, gitRepository } from "../support/git-repository.ts";
import { freePort } from "../support/ports.ts";
import { prefetchedStore } from "../support/prefetched-store.ts";
import type { Result } from "../support/process.ts";
import { Sandbox } from "../support/sandbox.ts";

interface Entry {
  readonly index?: string;
  readonly given?: true;
  readonly url?: string;
  readonly git?: string;
  readonly rev?: string;
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly hash: string;
}

const LOCK = "layers/package-sets/debian/debs/lock.json";
const RELOCKED = "layers/package-sets/debian/debs/relocked.json";
const WHEELS = "layers/locks/sample/layer5-perf.lock.json";
/** A version that no mirror has. */
const NEVER = "0-never";
const NO_HASH = `sha256-${"A".repeat(43)}=`;

let sandbox: Sandbox;
let locks: ReadonlyMap<string, string>;
let suite: string;
/** Offers the one package that the locks of these tests need, in a newer version than they lock. */
let mirror: DebianMirror;

before(async () => {
  sandbox = await Sandbox.create({ store: await prefetchedStore() });
  // What a mirror offers is to be compared with the committed lock, not with one that this machine made anew.
  locks = new Map([LOCK, WHEELS].map((file) => [file, readFileSync(sandbox.host(file), "utf8")]));
  ({ suite } = JSON.parse(locks.get(LOCK) as string) as { suite: string });
  const { stdout } = await sandbox.bash("ls -d /nix/store/*-busybox-seed-*/bin/busybox | head -n 1");
  mirror = await debianMirror(sandbox, suite, [{ name: "busybox-static", version: "9:9.0-1", file: ["/usr/bin/busybox", stdout.trim()] }]);
});
after(() => sandbox.stop());
afterEach(() => {
  for (const [file, text] of locks) writeFileSync(sandbox.host(file), text);
  rmSync(sandbox.host(RELOCKED), { force: true });
});

/** Changes the entries of a lock. */
function relock(file: string, change: (entries: Entry[]) => Entry[]): void {
  const lock = JSON.parse(readFileSync(sandbox.host(file), "utf8")) as { files: Entry[] };
  writeFileSync(sandbox.host(file), JSON.stringify({ ...lock, files: change(lock.files) }));
}

/** Debian's lock with only busybox-static, in a version that the store has not, and the program from it. */
function lockGone(): void {
  relock(LOCK, (entries) => {
    const seed = entries.filter(({ index }) => index === "seed");
    const [busybox] = entries.filter(({ name }) => name === "busybox-static");
    return [...seed, { ...(busybox as Entry), version: NEVER, hash: NO_HASH }];
  });
}

interface Options {
  readonly relock?: boolean;
  readonly keyrings?: string;
  readonly given?: readonly string[];
  readonly sources?: readonly string[];
  readonly flavor?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs prefetch.sh with these keyrings in the machine's place, seen by it alone. */
async function prefetch({ relock = false, keyrings, given = [], sources = [], flavor = "sample", env = {} }: Options): Promise<Result> {
  rmSync(sandbox.host(".local/apt"), { recursive: true, force: true });
  const mount = keyrings === undefined ? "" : `mount --bind '${keyrings}' /usr/share/keyrings; `;
  return sandbox.run("unshare", ["--mount", "bash", "-euc", `${mount}exec bash infra/hosts/prefetch.sh`], {
    input: JSON.stringify({ protocol, flavor, relock, given, sources }),
    // Downloads of its own: what is made up here must not be taken for a real file by another test.
    env: { COMFYUI_DOWNLOADS: `${sandbox.at}/tmp/downloads`, COMFYUI_DEBIAN_MIRROR: "", ...env },
    allowFailure: true,
    timeout: 5 * 60_000,
  });
}

async function assertFault(codes: string | readonly string[], options: Options, says: readonly (string | RegExp)[]): Promise<void> {
  const { code: exit, stdout, stderr } = await prefetch(options);
  assert.deepEqual([exit, stdout], [1, ""], stderr);
  assert.deepEqual([...stderr.matchAll(/^error\[([A-Z_]+)\]/gm)].map(([, found]) => found), [codes].flat(), stderr);
  assert.match(stderr, /^ {2}fix: {6}\S/m);
  for (const words of says) assert.ok(typeof words === "string" ? stderr.includes(words) : words.test(stderr), `${words} is not in:\n${stderr}`);
  assert.ok(!existsSync(sandbox.host(RELOCKED)), "nothing was locked anew");
}

const ours = (more: Options = {}): Options => ({ keyrings: mirror.keyrings, ...more, env: { COMFYUI_DEBIAN_MIRROR: mirror.url, ...more.env } });

test("PREFETCH_LOCK_STALE: a locked version that the mirror no longer has, where nothing may be locked anew", async () => {
  lockGone();
  await assertFault("PREFETCH_LOCK_STALE", ours(), ["Debian no longer has packages that flavor sample locks", `not on the mirror: busybox-static ${NEVER}`]);
});

test("with relock: what the mirror has now is locked, named, and used; the committed lock wins when it can be had again", async () => {
  lockGone();
  const first = await prefetch(ours({ relock: true }));
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, new RegExp(`^Debian ${suite} no longer has busybox-static ${NEVER}$`, "m"));
  assert.deepEqual((JSON.parse(first.stdout) as { relocked: unknown }).relocked, [{ name: "busybox-static", locked: NEVER, found: "9:9.0-1" }]);
  assert.ok(existsSync(sandbox.host(RELOCKED)));

  const again = await prefetch(ours({ relock: true }));
  assert.deepEqual([again.code, (JSON.parse(again.stdout) as { downloaded: number }).downloaded], [0, 0], "the second time it is there");

  writeFileSync(sandbox.host(LOCK), locks.get(LOCK) as string);
  const back = await prefetch(ours({ relock: true }));
  assert.equal(back.code, 0, back.stderr);
  assert.match(back.stderr, /relocked\.json is removed/);
  assert.ok(!existsSync(sandbox.host(RELOCKED)));
});

test("PREFETCH_PACKAGE_GONE: a package that Debian dropped altogether", async () => {
  lockGone();
  relock(LOCK, (entries) => [...entries, { ...(entries[1] as Entry), name: "no-such-package", file: "no-such-package_amd64.deb" }]);
  await assertFault("PREFETCH_PACKAGE_GONE", ours({ relock: true }), [`Debian ${suite} has no package no-such-package any more`]);
});

test("PREFETCH_MIRROR: a mirror signed by another key is refused", async () => {
  lockGone();
  const other = await debianMirror(sandbox, suite, []);
  await assertFault("PREFETCH_MIRROR", ours({ relock: true, keyrings: other.keyrings }), [/NO_PUBKEY|is not signed/, `found:    ${mirror.url}`]);
});

test("PREFETCH_MIRROR: a mirror that does not answer is not taken for one without packages", async () => {
  lockGone();
  const url = `http://127.0.0.1:${await freePort()}/debian`;
  await assertFault("PREFETCH_MIRROR", { relock: true, env: { COMFYUI_DEBIAN_MIRROR: url } }, ["could not be read", `found:    ${url}`]);
});

test("PREFETCH_MIRROR_MISSING: apt names no Debian mirror", async () => {
  lockGone();
  await assertFault("PREFETCH_MIRROR_MISSING", { env: { APT_CONFIG: aptWithoutMirror(sandbox) } }, ["names no Debian mirror", "set COMFYUI_DEBIAN_MIRROR"]);
});

test("PREFETCH_KEYRING_MISSING: without Debian's keys nothing is asked", async () => {
  lockGone();
  await assertFault("PREFETCH_KEYRING_MISSING", ours({ keyrings: noKeyrings(sandbox) }), ["install the package debian-archive-keyring"]);
});

test("PREFETCH_HASH: the program that starts every build is not the locked one", async () => {
  relock(LOCK, (entries) => entries.map((entry) => (entry.index === "seed" ? { ...entry, hash: NO_HASH } : entry)));
  await assertFault("PREFETCH_HASH", {}, ["is not the locked one", /found: +\/nix\/store\/\S+-busybox-seed-/, /expected: \/nix\/store\/\S+-busybox-seed-/]);
});

test("PREFETCH_DOWNLOAD: a wheel that pip cannot get", async () => {
  relock(WHEELS, ([first, ...rest]) => [{ ...(first as Entry), hash: NO_HASH }, ...rest]);
  await assertFault("PREFETCH_DOWNLOAD", { env: { PIP_NO_INDEX: "1" } }, ["pip could not download", /No matching distribution found for ml-dtypes/i]);
});

/** A file in the sandbox, seen there under this path. */
function fileWith(name: string, text: string): string {
  const path = `${sandbox.at}/tmp/${name}`;
  writeFileSync(sandbox.host(path), text);
  return path;
}

/** Locks one more file, with the hash of this text; answers with it. */
async function lockText(text: string, origin: Partial<Entry>): Promise<string> {
  const { stdout } = await sandbox.run("nix", ["hash", "file", fileWith("its-bytes", text)]);
  relock(WHEELS, (entries) => [...entries, { name: "app", version: "1", file: "app-1.tar.xz", hash: stdout.trim(), ...origin }]);
  return stdout.trim();
}
const lockGiven = (text: string) => lockText(text, { given: true });

test("a given file is found by its hash, whatever its name, and is not asked for again", async () => {
  const hash = await lockGiven("an app's source");
  const first = await prefetch({ given: [fileWith("a file, of any name", "an app's source")] });
  assert.deepEqual([first.code, (JSON.parse(first.stdout) as { downloaded: number }).downloaded], [0, 1], first.stderr);
  const { stdout } = await sandbox.bash("cat /nix/store/*-app-1.tar.xz && ls .local/host/roots/prefetch/sample | wc -l");
  assert.match(stdout, /^an app's source\d+\n$/);
  const again = await prefetch({});
  assert.deepEqual([again.code, (JSON.parse(again.stdout) as { downloaded: number }).downloaded], [0, 0], `${hash}\n${again.stderr}`);
});

test("PREFETCH_GIVEN_MISSING: a file that nobody serves, and how to give it", async () => {
  const hash = await lockGiven("nobody has this");
  await assertFault("PREFETCH_GIVEN_MISSING", {}, ["found:    no --file", `expected: app-1.tar.xz ${hash}`, "npm run setup -- --flavor sample --file PATH"]);
});

test("PREFETCH_GIVEN_UNKNOWN: files that no lock names, or that cannot be read", async () => {
  const hash = await lockGiven("the right bytes");
  const given = [fileWith("wrong", "other bytes"), `${sandbox.at}/tmp/not-there`];
  await assertFault("PREFETCH_GIVEN_UNKNOWN", { given }, [/tmp\/wrong sha256-\S+, \S+tmp\/not-there cannot be read$/m, `expected: app-1.tar.xz ${hash}`]);
});

test("a file at an address: downloaded, going on where the server cut it off", async () => {
  await using server = await fileServer("the bytes of a source archive", { cut: 2 });
  await lockText(server.text, { url: server.url, file: "cut-off.tar.gz" });
  const { code, stdout, stderr } = await prefetch({});
  assert.deepEqual([code, (JSON.parse(stdout) as { downloaded: number; bytes: number }).bytes], [0, server.text.length], stderr);
  assert.deepEqual(server.ranges, [undefined, "bytes=7-", "bytes=14-"]);
  assert.match(stderr, /downloading cut-off\.tar\.gz from http:\S+\n.*the connection was lost: going on/s);
});

test("PREFETCH_HASH: a file at an address has other bytes, and PREFETCH_DOWNLOAD: nothing is there", async () => {
  await using server = await fileServer("changed bytes", {});
  const hash = await lockText("the locked bytes", { url: server.url, file: "changed.tar.gz" });
  await assertFault("PREFETCH_HASH", {}, ["changed.tar.gz has other bytes", `expected: ${hash}`]);
  await lockText("never", { url: `${server.url}/gone`, file: "gone.tar.gz" });
  relock(WHEELS, (entries) => entries.filter(({ file }) => file !== "changed.tar.gz"));
  await assertFault("PREFETCH_DOWNLOAD", {}, ["gone.tar.gz could not be downloaded (curl ended with 22)", `found:    ${server.url}/gone`]);
});

test("a git revision: the commit's files without .git, by smart and by plain transport, whatever the machine's git is told", async () => {
  const repository = await gitRepository(sandbox, "a node", { "__init__.py": "NODES = 1\r\n", "run.sh": "#!/bin/sh\n" });
  await sandbox.bash("git config --global core.autocrlf input");
  const { rev, hash } = repository;
  relock(WHEELS, (entries) => [...entries, { git: repository.url, rev, name: "a-node", version: "1", file: "a-node-1", hash }]);
  const first = await prefetch({});
  assert.deepEqual([first.code, (JSON.parse(first.stdout) as { downloaded: number }).downloaded], [0, 1], first.stderr);
  const { stdout } = await sandbox.bash("cd /nix/store/*-a-node-1 && find . | sort | paste -sd' ' && od -c __init__.py | head -n 1");
  assert.match(stdout, /^\. \.\/__init__\.py \.\/run\.sh\n.*\\r {2}\\n\n$/);

  await using server = await folderServer(sandbox.host(`${repository.folder}/.git`));
  relock(WHEELS, (entries) => entries.map((entry) => (entry.git === undefined ? entry : { ...entry, git: server.url, file: "plain-node-1" })));
  const plain = await prefetch({});
  assert.deepEqual([plain.code, (JSON.parse(plain.stdout) as { downloaded: number }).downloaded], [0, 1], plain.stderr);
});

test("PREFETCH_HASH, PREFETCH_DOWNLOAD: a git revision with other files, and one that is not there", async () => {
  const repository = await gitRepository(sandbox, "another node", { "__init__.py": "" });
  const entry = { git: repository.url, rev: repository.rev, name: "a-node", version: "1", file: "another-node-1", hash: NO_HASH };
  relock(WHEELS, (entries) => [...entries, entry]);
  await assertFault("PREFETCH_HASH", {}, ["are not the locked ones", `found:    ${repository.hash}`, `expected: ${NO_HASH}`]);
  relock(WHEELS, (entries) => entries.map((each) => (each.git === undefined ? each : { ...each, rev: "1".repeat(40) })));
  await assertFault("PREFETCH_DOWNLOAD", {}, ["git could not fetch 111111111111 of file:///", `found:    ${repository.url}`]);
});

/** The one entry of a git source, at an address where nothing is. */
function lockGit(repository: Pick<GitRepository, "rev" | "hash">, url = "https://github.com/nobody/here"): void {
  relock(WHEELS, (entries) => [...entries, { git: url, rev: repository.rev, name: "a-node", version: "1", file: `a-node-${repository.rev.slice(0, 12)}`, hash: repository.hash }]);
}

test("--source: HEAD of a git checkout stands in for a site out of reach, without what is not committed; it is not asked for again", async () => {
  const attributes = { ".gitattributes": "secret.txt export-ignore\n", "secret.txt": "not in an archive" };
  const repository = await gitRepository(sandbox, "checkout", { "__init__.py": "NODES = 2\n", "run.sh": "#!/bin/sh\n", ...attributes });
  // What GitHub gives is an archive; what other servers give is a checkout.
  const archived = `mkdir tree && git -C '${repository.folder}' archive HEAD | tar -x -C tree && nix hash path tree && rm -r tree`;
  const hash = (await sandbox.bash(`cd "$TMPDIR" && ${archived}`)).stdout.trim();
  assert.notEqual(hash, repository.hash);
  lockGit({ rev: repository.rev, hash });
  writeFileSync(sandbox.host(`${repository.folder}/__init__.py`), "NODES = 3\n");
  writeFileSync(sandbox.host(`${repository.folder}/left-over.txt`), "untracked");
  const first = await prefetch({ sources: [`a-node=${repository.folder}`] });
  assert.deepEqual([first.code, (JSON.parse(first.stdout) as { downloaded: number }).downloaded], [0, 1], first.stderr);
  assert.match(first.stderr, /checkout has changes that are not committed: they are left out\n/);
  assert.doesNotMatch(first.stderr, /^fetching/m);
  const { stdout } = await sandbox.bash(`cd /nix/store/*-a-node-${repository.rev.slice(0, 12)} && find . -type f | sort | paste -sd' ' && cat __init__.py`);
  assert.equal(stdout, "./.gitattributes ./__init__.py ./run.sh\nNODES = 2\n");
  const again = await prefetch({});
  assert.deepEqual([again.code, (JSON.parse(again.stdout) as { downloaded: number }).downloaded], [0, 0], again.stderr);
});

test("--source: of a folder without .git all files count, also for a flavor whose package set fetches for itself", async () => {
  const repository = await gitRepository(sandbox, "plain", { "__init__.py": "NODES = 4\n", "run.sh": "#!/bin/sh\n" });
  const folder = `${sandbox.at}/tmp/a folder, without git`;
  await sandbox.bash(`cp -r '${repository.folder}' '${folder}' && rm -rf '${folder}/.git'`);
  const cu130 = "layers/locks/cu130/layer6-app.lock.json";
  const text = readFileSync(sandbox.host(cu130), "utf8");
  try {
    relock(cu130, (entries) => entries.map((entry) => ({ ...entry, hash: repository.hash, file: "a-plain-tree" })));
    const { code, stdout, stderr } = await prefetch({ flavor: "cu130", sources: [`comfyui=${folder}`] });
    assert.deepEqual([code, JSON.parse(stdout)], [0, { present: 0, downloaded: 1, bytes: (JSON.parse(stdout) as { bytes: number }).bytes, relocked: [] }], stderr);
    const rooted = async () => (await sandbox.bash("ls -d /nix/store/*-a-plain-tree; readlink .local/host/roots/prefetch/cu130/*")).stdout.trim().split("\n");
    const [path, ...roots] = await rooted();
    assert.deepEqual(roots, [path]);
    const again = await prefetch({ flavor: "cu130" });
    assert.deepEqual([again.code, JSON.parse(again.stdout)], [0, { present: 1, downloaded: 0, bytes: 0, relocked: [] }], again.stderr);
    assert.deepEqual(await rooted(), [path, path], "what was given stays");
  } finally {
    writeFileSync(sandbox.host(cu130), text);
  }
});

test("PREFETCH_SOURCE_OTHER: other trees than the locked one, with both hashes and the way out; all faults at once, and nothing is added", async () => {
  const right = await gitRepository(sandbox, "right", { "__init__.py": "NODES = 5\n" });
  const wrong = await gitRepository(sandbox, "wrong", { "__init__.py": "NODES = 6\n" });
  lockGit(right, right.url);
  const url = `expected: ${right.hash} (${right.url} at ${right.rev.slice(0, 12)})`;
  const fix = `git -C ${wrong.folder} checkout ${right.rev}; or lock the tree that you have: under files in layers/flavors/sample/requirements.json`;
  await assertFault("PREFETCH_SOURCE_OTHER", { sources: [`a-node=${wrong.folder}`] }, [`found:    ${wrong.hash} (commit ${wrong.rev.slice(0, 12)}, HEAD of ${wrong.folder})`, url, fix]);

  const plain = `${sandbox.at}/tmp/one-file-more`;
  await sandbox.bash(`cp -r '${right.folder}' ${plain} && rm -rf ${plain}/.git && touch ${plain}/more`);
  const { stdout } = await sandbox.run("nix", ["hash", "path", plain]);
  await assertFault("PREFETCH_SOURCE_OTHER", { sources: [`a-node=${plain}`] }, [`found:    ${stdout.trim()} (all files of ${plain})`, url, `give the files of commit ${right.rev}, all and no others`]);

  const empty = `${sandbox.at}/tmp/no-commit`;
  await sandbox.bash(`mkdir ${empty} && git -C ${empty} init --quiet`);
  const other = { ...right, rev: "2".repeat(40) };
  relock(WHEELS, (entries) => [...entries, { git: right.url, rev: other.rev, name: "b-node", version: "1", file: "b-node-1", hash: NO_HASH }]);
  const sources = [`a-node=${wrong.folder}`, `b-node=${empty}`, `numexpr=${plain}`, `c-node=${plain}`];
  const unknown = ["PREFETCH_SOURCE_UNKNOWN", "PREFETCH_SOURCE_UNKNOWN"];
  await assertFault(["PREFETCH_SOURCE_OTHER", "PREFETCH_SOURCE_UNREADABLE", ...unknown], { sources }, [
    /b-node cannot be read\n {2}found: {4}\S+no-commit: fatal: Needed a single revision/,
    `found:    numexpr=${plain}\n  expected: a-node, b-node\n`,
    `found:    c-node=${plain}`,
  ]);
  const { code } = await sandbox.bash(`ls -d /nix/store/*-a-node-${right.rev.slice(0, 12)}`, { allowFailure: true });
  assert.notEqual(code, 0, "nothing was added");
});

test("PREFETCH_DOWNLOAD: where git's site is out of reach, the message says how to give a checkout", async () => {
  const { hash } = await gitRepository(sandbox, "far", { "__init__.py": "NODES = 7\n" });
  lockGit({ rev: "3".repeat(40), hash }, `http://127.0.0.1:${await freePort()}/far`);
  await assertFault("PREFETCH_DOWNLOAD", {}, ["give a checkout: npm run setup -- --flavor sample --source a-node=FOLDER"]);
});

test("PREFETCH_DOWNLOAD: a package that the mirror lists but has not", async () => {
  lockGone();
  const deb = `${mirror.url.slice("file://".length)}/pool/busybox-static.deb`;
  const { stdout } = await sandbox.run("nix", ["hash", "file", deb]);
  relock(LOCK, (entries) => entries.map((entry) => (entry.index === "debian" ? { ...entry, version: "9:9.0-1", hash: stdout.trim() } : entry)));
  rmSync(sandbox.host(deb));
  await assertFault("PREFETCH_DOWNLOAD", ours(), ["apt could not download"]);
});
