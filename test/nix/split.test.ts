/** A layer as several blobs: pack_blob and make_image themselves, on a store made up for them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { outputs } from "../support/outputs.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const LIMIT = 1_000_000;
const stored = (name: string, digit: string) => `/nix/store/${digit.repeat(32)}-${name}`;
const SITE = stored("site", "5");
const PACKAGES = `${SITE}/lib/python3.14/site-packages`;
const LIBRARY = stored("library-1.0", "1");
const OWN = [LIBRARY, stored("tool-2", "2"), SITE, stored("tool-9", "9"), stored("tool-b", "b")];
const ROOT = stored("root", "0");
const LONG = "a-folder-with-a-long-name/".repeat(5);

interface Blob {
  readonly file: string;
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly tarSize: number;
  readonly oversize?: string;
}

interface Packed {
  /** Where they are, as seen inside. */
  readonly folder: string;
  readonly blobs: readonly Blob[];
}

let sandbox: Sandbox;
let python: string;
before(async () => {
  sandbox = await warmSandbox();
  python = `${(await outputs(sandbox)).layers["layer1-python"]?.storePath}/bin/python`;
  writeStore();
});
after(() => sandbox.stop());

/** Bytes that no compressor makes fewer, the same for the same seed. */
function write(path: string, size: number, seed = path): void {
  mkdirSync(dirname(sandbox.nix(path)), { recursive: true });
  writeFileSync(sandbox.nix(path), createHash("shake256", { outputLength: size }).update(seed).digest());
}

function writePackage(name: string, files: number, size: number, seed = name): void {
  for (let at = 0; at < files; at++) write(`${PACKAGES}/${name}/module${at}.py`, size, `${seed} ${at}`);
}

/** Several store paths, one of them longer than the limit, with everything that is hard to pack. */
function writeStore(): void {
  for (let at = 0; at < 24; at++) writePackage(`package_${String.fromCharCode(97 + at)}`, 3 + (at % 4), 40_000 + 5_000 * at);
  write(`${PACKAGES}/torch/lib/libtorch.so`, 2_500_000);
  chmodSync(sandbox.nix(`${PACKAGES}/torch/lib/libtorch.so`), 0o555);
  writePackage("torch", 10, 60_000);
  mkdirSync(sandbox.nix(`${PACKAGES}/torch/empty/folder`), { recursive: true });
  mkdirSync(sandbox.nix(`${PACKAGES}/nothing`));
  symlinkSync("package_a/module0.py", sandbox.nix(`${PACKAGES}/link.py`));
  write(`${PACKAGES}/${LONG}module.py`, 1000);
  symlinkSync(`${PACKAGES}/${LONG}module.py`, sandbox.nix(`${PACKAGES}/long-link.py`));
  for (const path of OWN) write(`${path}/lib/lib.so`, 300_000);
  mkdirSync(sandbox.nix(`${ROOT}/etc`), { recursive: true });
  writeFileSync(sandbox.nix(`${ROOT}/etc/passwd`), "root:x:0:0::/root:/bin/sh\n");
}

interface Options {
  readonly limit?: number | null;
  readonly cores?: number;
  readonly compression?: string;
  readonly own?: readonly string[];
}

/** Runs pack_blob; `out` is a name. Answers its messages too. */
async function pack(out: string, { limit = LIMIT, cores = 2, compression = "zstd", own = OWN }: Options = {}): Promise<Packed & { stdout: string }> {
  const folder = `${sandbox.at}/tmp/${out}`;
  const root = {
    tree: ROOT,
    directories: { tmp: { mode: "1777" }, "home/user": { uid: 1000, gid: 1000 } },
    links: { "bin/lib": `${own[0]}/lib/lib.so` },
  };
  const attributes = { attr: "layer", compression, blobLimit: limit, root, own: own.map((path) => ({ path })), outputs: { out: folder } };
  writeFileSync(sandbox.host(`${folder}.json`), JSON.stringify(attributes));
  const env = { NIX_ATTRS_JSON_FILE: `${folder}.json`, NIX_BUILD_CORES: String(cores) };
  const peak = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
  const { stdout } = await sandbox.run(python, ["-c", peak, python, "-B", "-I", "layers/lib/pack_blob"], { env });
  const { blobs } = JSON.parse(readFileSync(sandbox.host(`${folder}/blob.json`), "utf8")) as { blobs: Blob[] };
  return { folder, blobs, stdout };
}

/** What a container would see of these blobs, laid one over the other: lines for each name. */
async function unpacked({ folder, blobs }: Packed): Promise<string[]> {
  const target = `${folder}.unpacked`;
  const tars = blobs.map(({ file }) => `tar -C ${target} --same-owner --numeric-owner -xpf ${folder}/${file}`);
  const listed = ["find . -mindepth 1 -printf '%P %y %m %U:%G %T@ %l\\n' | sort", "find . -type f -print0 | sort -z | xargs -0 sha256sum"];
  const { stdout } = await sandbox.bash([`mkdir ${target}`, ...tars, `cd ${target}`, ...listed].join("\n"));
  return stdout.split("\n");
}

async function names({ folder }: Packed, { file }: Blob): Promise<string[]> {
  return (await sandbox.run("tar", ["-tf", `${folder}/${file}`])).stdout.trim().split("\n");
}

/** The blobs that the other does not have, and what is in them, folders left out. */
async function onlyIn(packed: Packed, other: Packed): Promise<{ blobs: Blob[]; files: string[] }> {
  const known = new Set(other.blobs.map(({ digest }) => digest));
  const blobs = packed.blobs.filter(({ digest }) => !known.has(digest));
  const files = await Promise.all(blobs.map((blob) => names(packed, blob)));
  return { blobs, files: files.flat().filter((name) => !name.endsWith("/")) };
}

test("no limit, and one that is not reached: one blob, the same", async () => {
  const [whole, high] = [await pack("whole", { limit: null }), await pack("high", { limit: 100 * LIMIT })];
  assert.equal(whole.blobs.length, 1);
  assert.deepEqual(high.blobs, whole.blobs);
});

for (const compression of ["zstd", "gzip"]) {
  test(`${compression}: the same blobs on one core and on many, no longer than the limit, each what its digests say`, async () => {
    const [one, many] = [await pack(`${compression}-one`, { compression, cores: 1 }), await pack(`${compression}-many`, { compression, cores: 16 })];
    assert.deepEqual(many.blobs, one.blobs);
    assert.ok(one.blobs.length > 10, `${one.blobs.length} blobs`);
    const long = one.blobs.filter(({ tarSize }) => tarSize > LIMIT);
    assert.deepEqual(long.map(({ oversize }) => oversize), [`${PACKAGES}/torch/lib/libtorch.so`]);
    assert.equal(one.blobs.filter(({ oversize }) => oversize !== undefined).length, 1);
    const unpack = { zstd: "zstd -dcq", gzip: "gzip -dc" }[compression];
    for (const { file, digest, diffId, size, tarSize } of one.blobs) {
      const script = `sha256sum <${file}; wc -c <${file}; ${unpack} ${file} | sha256sum; ${unpack} ${file} | wc -c`;
      const { stdout } = await sandbox.bash(script, { cwd: many.folder });
      assert.deepEqual(stdout.replaceAll(" -", "").trim().split(/\s+/), [digest, size, diffId, tarSize].map((word) => String(word).replace("sha256:", "")));
    }
  });
}

test("the blobs laid one over the other are the blob without a limit: names, types, modes, owners, times, links, content", async () => {
  const [whole, split] = [await unpacked(await pack("union-whole", { limit: null })), await unpacked(await pack("union-split"))];
  assert.deepEqual(split.filter((line) => !whole.includes(line)), []);
  assert.equal(split.length, whole.length);
  const name = (path: string) => path.slice(1);
  for (const line of [
    `${name(PACKAGES)}/torch/empty/folder d 555 0:0 1.0000000000 `,
    `${name(PACKAGES)}/torch/lib/libtorch.so f 555 0:0 1.0000000000 `,
    `${name(PACKAGES)}/${LONG}module.py f 444 0:0 1.0000000000 `,
    `${name(PACKAGES)}/long-link.py l 777 0:0 1.0000000000 ${PACKAGES}/${LONG}module.py`,
    "nix/store d 755 0:0 1.0000000000 ",
    "tmp d 1777 0:0 1.0000000000 ",
    "home/user d 755 1000:1000 1.0000000000 ",
    "etc/passwd f 644 0:0 1.0000000000 ",
  ]) assert.ok(whole.includes(line), line);
});

test("where one package changes, the blobs without it stay", async (t) => {
  const before = await pack("before");
  const original = { files: 3 + (12 % 4), size: 40_000 + 5_000 * 12 };
  const changes: Readonly<Record<string, () => void>> = {
    "other bytes": () => writePackage("package_m", original.files, original.size, "new"),
    longer: () => writePackage("package_m", original.files, 2 * original.size),
    "one more file": () => writePackage("package_m", original.files + 1, original.size),
    gone: () => rmSync(sandbox.nix(`${PACKAGES}/package_m`), { recursive: true }),
  };
  for (const [change, make] of Object.entries(changes)) {
    await t.test(change, async () => {
      make();
      const changed = await pack(change.replaceAll(" ", "-"));
      const [old, now] = [await onlyIn(before, changed), await onlyIn(changed, before)];
      assert.ok(old.files.some((name) => name.includes("/package_m/")));
      const dragged = now.blobs.reduce((sum, { tarSize }) => sum + tarSize, 0);
      t.diagnostic(`${change}: ${now.blobs.length} of ${changed.blobs.length} blobs are new, ${dragged} bytes before compression`);
      assert.ok(now.blobs.length <= 2 && dragged <= 2 * LIMIT, now.files.join("\n"));
      rmSync(sandbox.nix(`${PACKAGES}/package_m`), { recursive: true, force: true });
      writePackage("package_m", original.files, original.size);
    });
  }
  await t.test("a store path's new version, under another hash", async () => {
    const newer = stored("library-2.0.1", "z");
    write(`${newer}/lib/lib.so`, 320_000);
    const changed = await pack("newer", { own: [...OWN.slice(1), newer] });
    const now = await onlyIn(changed, before);
    assert.ok(now.files.includes(`${newer.slice(1)}/lib/lib.so`) && !now.files.some((name) => /package_|torch/.test(name)), now.files.join("\n"));
    assert.ok(now.blobs.length <= 2, `${now.blobs.length} blobs`);
  });
});

test("memory does not grow with the layer: a gigabyte takes less than 200 MB", async (t) => {
  const big = stored("big", "c");
  mkdirSync(sandbox.nix(big));
  for (const name of ["a", "b", "c", "d"]) {
    writeFileSync(sandbox.nix(`${big}/${name}`), "");
    truncateSync(sandbox.nix(`${big}/${name}`), 250_000_000);
  }
  for (const limit of [null, 300_000_000]) {
    const { stdout, blobs } = await pack(`big-${limit}`, { own: [big], limit, cores: 16 });
    t.diagnostic(`${blobs.length} blobs: ${stdout.trim()} kB`);
    assert.ok(Number(stdout) < 200_000, stdout);
  }
});

/** An image of one layer of so many blobs, put together by make_image: only their descriptions have to be there. */
async function makeImage(count: number) {
  const folder = `${sandbox.at}/tmp/image-${count}`;
  mkdirSync(sandbox.host(`${folder}/blob`), { recursive: true });
  const blobs = Array.from({ length: count }, (_, at) => {
    const digest = `sha256:${createHash("sha256").update(String(at)).digest("hex")}`;
    return { file: `${at}`, digest, diffId: digest, size: 1, tarSize: 1 };
  });
  writeFileSync(sandbox.host(`${folder}/blob/blob.json`), JSON.stringify({ attr: "layer", mediaType: "m", paths: 0, blobs }));
  writeFileSync(sandbox.host(`${folder}/blob/paths`), "");
  const attributes = { tag: "t", imageConfig: {}, oci: { os: "linux", architecture: "amd64" }, layers: [{ attr: "layer", blob: `${folder}/blob` }], outputs: { out: `${folder}/out`, config: `${folder}/config` } };
  writeFileSync(sandbox.host(`${folder}.json`), JSON.stringify(attributes));
  mkdirSync(sandbox.host(`${folder}/out`));
  const run = await sandbox.run(python, ["-B", "-I", "layers/lib/make_image.py"], { env: { NIX_ATTRS_JSON_FILE: `${folder}.json` }, allowFailure: true });
  return { ...run, config: sandbox.host(`${folder}/config`) };
}

test("an image has no more blobs than Docker can stack; its history names layer and part", async () => {
  const most = await makeImage(125);
  assert.equal(most.code, 0, most.stderr);
  const { history } = JSON.parse(readFileSync(most.config, "utf8")) as { history: { created_by: string }[] };
  assert.deepEqual(history.map(({ created_by }) => created_by).slice(0, 2), ["layer 1/125", "layer 2/125"]);
  const more = await makeImage(126);
  assert.equal(more.code, 1);
  for (const text of ["more blobs than Docker can stack", "found:    126 (layer 126)", "expected: 125 or fewer", "fix: raise the flavor's blobLimit in layers.json"]) assert.ok(more.stderr.includes(text), more.stderr);
});

/** Python: entries with every length about which a header changes its form; prints how many there were, and those that differ. */
const HEADERS = `
import random, sys, tarfile
sys.path.insert(0, "layers/lib/pack_blob")
from entries import FILE, FOLDER, LINK, Entry

def by_tarfile(entry):
    info = tarfile.TarInfo(entry.name)
    info.type, info.mode, info.uid, info.gid, info.size, info.mtime = entry.kind, entry.mode, entry.uid, entry.gid, entry.size, 1
    if entry.kind == LINK:
        info.linkname = entry.source
    return info.tobuf(tarfile.GNU_FORMAT)

pick = random.Random(1).choice
texts = ["a", "nix/store/\u00e9", *("x" * length for length in (98, 99, 100, 101, 102, 255, 511, 512, 513))]
def entry(kind):
    size = pick([0, 1, 511, 512, 8**11 - 1, 8**11, 2**40]) if kind == FILE else 0
    return Entry(pick(texts), kind, pick([0o755, 0o444, 0o1777]), pick(texts), size, pick([0, 1000, 8**7 - 1, 8**7]), pick([0, 1000]))
entries = [entry(pick([FILE, FOLDER, LINK])) for _ in range(3000)]
print(len(entries), [each for each in entries if each.header() != by_tarfile(each)])
`;

test("headers are byte for byte those that Python's tarfile writes", async () => {
  assert.equal((await sandbox.run(python, ["-B", "-I", "-c", HEADERS])).stdout.trim(), "3000 []");
});
