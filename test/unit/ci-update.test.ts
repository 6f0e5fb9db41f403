/** An update's patch becomes a branch and a pull request: with the real git, and a stand-in of GitHub's API. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { pushUpdate } from "../../infra/ci/update-branch.ts";
import { outsideOf, updateGroups } from "../../infra/ci/update-groups.ts";
import { lockedLayers } from "../../infra/lock/assignment.ts";
import { parseLockFile } from "../../infra/lock/lock-file.ts";
import { readLayerGraph } from "../../infra/read-plan.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { GitHubApi } from "../support/github-api.ts";
import { run } from "../support/process.ts";
import { faultsOf } from "./faults.ts";

const LOCK = "layers/locks/sample/layer5-perf.lock.json";
const graph = readLayerGraph(join(CHECKOUT, "layers"));

class Repository {
  readonly folder: string;
  readonly root: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.root = join(folder, "clone");
  }

  /** A bare repository in GitHub's place, and a clone with one commit by a person. */
  static async create(t: TestContext): Promise<Repository> {
    const repository = new Repository(mkdtempSync(join(tmpdir(), "ci-update-")));
    t.after(() => rmSync(repository.folder, { recursive: true }));
    await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", join(repository.folder, "origin")]);
    await run("git", ["clone", "--quiet", join(repository.folder, "origin"), repository.root]);
    repository.write(LOCK, '{"version": 1}\n');
    repository.write("README.md", "text\n");
    await repository.commit("first");
    await repository.git("push", "--quiet", "origin", "HEAD:main");
    return repository;
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true });
    writeFileSync(join(this.root, file), text);
  }

  async git(...args: readonly string[]): Promise<string> {
    const person = ["-c", "user.name=somebody", "-c", "user.email=somebody@localhost"];
    return (await run("git", ["-C", this.root, ...person, ...args])).stdout.trim();
  }

  async commit(message: string): Promise<void> {
    await this.git("add", "--all");
    await this.git("commit", "--quiet", "--message", message);
  }

  /** What an edit would be as a patch; the checkout is as it was. */
  async patch(file: string, text: string): Promise<string> {
    this.write(file, text);
    await this.git("add", "--all");
    const { stdout } = await run("git", ["-C", this.root, "diff", "--cached", "--binary"]);
    await this.git("reset", "--quiet", "--hard");
    return stdout;
  }

  /** The branch at the origin: HASH and the texts of its commits above main, newest first. */
  async branch(name: string): Promise<{ hash: string; commits: string[]; lock: string }> {
    await this.git("fetch", "--quiet", "--prune", "origin");
    const hash = await this.git("rev-parse", `origin/${name}`);
    const commits = await this.git("log", "--format=%an: %s", `origin/main..origin/${name}`);
    return { hash, commits: commits.split("\n"), lock: await this.git("show", `origin/${name}:${LOCK}`) };
  }
}

const update = (root: string, patch: string) => pushUpdate({ root, branch: "update/layer5-perf", title: "Newer packages in layer5-perf", patch });

test("a new branch of one commit on main; the checkout stays as it was", async (t) => {
  const repository = await Repository.create(t);
  const before = await repository.git("rev-parse", "HEAD");
  assert.equal(update(repository.root, await repository.patch(LOCK, '{"version": 2}\n')), "pushed");
  const { commits, lock } = await repository.branch("update/layer5-perf");
  assert.deepEqual([commits, lock], [["github-actions[bot]: Newer packages in layer5-perf"], '{"version": 2}']);
  assert.deepEqual([await repository.git("rev-parse", "HEAD"), await repository.git("status", "--porcelain")], [before, ""]);
});

test("the same again is not pushed; something newer replaces the commit, also when main has gone on", async (t) => {
  const repository = await Repository.create(t);
  const second = await repository.patch(LOCK, '{"version": 2}\n');
  update(repository.root, second);
  const { hash } = await repository.branch("update/layer5-perf");
  assert.equal(update(repository.root, second), "up to date");
  assert.equal((await repository.branch("update/layer5-perf")).hash, hash);
  repository.write("README.md", "more\n");
  await repository.commit("main goes on");
  await repository.git("push", "--quiet", "origin", "HEAD:main");
  assert.equal(update(repository.root, await repository.patch(LOCK, '{"version": 3}\n')), "pushed");
  const { commits, lock } = await repository.branch("update/layer5-perf");
  assert.deepEqual([commits, lock], [["github-actions[bot]: Newer packages in layer5-perf"], '{"version": 3}']);
});

test("a branch on which a person has worked is left alone", async (t) => {
  const repository = await Repository.create(t);
  update(repository.root, await repository.patch(LOCK, '{"version": 2}\n'));
  await repository.git("fetch", "--quiet", "origin");
  await repository.git("switch", "--quiet", "--detach", "origin/update/layer5-perf");
  repository.write("README.md", "by hand\n");
  await repository.commit("a person's fix");
  await repository.git("push", "--quiet", "origin", "HEAD:update/layer5-perf");
  await repository.git("switch", "--quiet", "--detach", "origin/main");
  const { hash } = await repository.branch("update/layer5-perf");
  assert.equal(update(repository.root, await repository.patch(LOCK, '{"version": 3}\n')), "a person's");
  assert.equal((await repository.branch("update/layer5-perf")).hash, hash);
});

test("CI_UPDATE_OUTSIDE: a patch of anything but locks and what is asked for is refused, and nothing is pushed", async (t) => {
  const repository = await Repository.create(t);
  const patch = await repository.patch(".github/workflows/main.yml", "on: push\n");
  assert.deepEqual(faultsOf(() => update(repository.root, patch)).map(({ code, where }) => [code, where]), [["CI_UPDATE_OUTSIDE", ".github/workflows/main.yml"]]);
  assert.equal(await repository.git("ls-remote", "origin", "refs/heads/update/*"), "");
  assert.equal(await repository.git("status", "--porcelain"), "");
  const good = ["layers/locks/cu130/layer5-perf.lock.json", "layers/flavors/cu130/requirements.json", "layers/flake.lock"];
  const bad = ["layers/lib/python.nix", "layers/locks/x.json", "infra/index.ts", "layers/locks/a/b.nix", "package.json", "layers/flake.nix"];
  assert.deepEqual(outsideOf([...good, ...bad]).map(({ where }) => where), bad);
});

test("as the workflow runs it, without any npm package: a pull request for each patch, the same one next week; one group's failure stops no other", async (t) => {
  const repository = await Repository.create(t);
  await using api = await GitHubApi.start();
  for (const part of ["ci", "faults.ts"]) cpSync(join(CHECKOUT, "infra", part), join(repository.root, "infra", part), { recursive: true });
  await repository.commit("the program");
  await repository.git("push", "--quiet", "origin", "HEAD:main");
  const updates = join(repository.folder, "updates");
  mkdirSync(updates);
  const hand = (group: string, patch: string, text: string) => {
    writeFileSync(join(updates, `${group}.patch`), patch);
    writeFileSync(join(updates, `${group}.md`), text);
  };
  hand("layer3-pytorch", "", "nothing\n");
  hand("layer4-deps", "no patch at all\n", "broken\n");
  hand("layer5-perf", await repository.patch(LOCK, '{"version": 2}\n'), "kernel 1.0 -> 2.0\n");
  const summary = join(repository.folder, "summary");
  const pullRequests = () => run("node", ["infra/ci/pull-requests.ts", updates], { cwd: repository.root, allowFailure: true, env: { PATH: process.env["PATH"] ?? "", HOME: repository.folder, GITHUB_STEP_SUMMARY: summary, ...api.env } });
  const first = await pullRequests();
  assert.equal(first.code, 1);
  assert.match(first.stderr, /^layer4-deps: git apply .* ended with 128/);
  assert.match(readFileSync(summary, "utf8"), /\| layer3-pytorch \| nothing newer \|\n\| layer4-deps \| failed \|\n\| layer5-perf \| pushed: https:\/\/forge\.example\/owner\/name\/pull\/20 \|/);
  const [made] = api.pullRequests;
  assert.deepEqual([made?.head, made?.base, made?.title], ["update/layer5-perf", "main", "Newer packages in layer5-perf"]);
  assert.match(made?.body ?? "", /^kernel 1\.0 -> 2\.0\n[^]*Approve workflows to run/);
  rmSync(join(updates, "layer4-deps.patch"));
  hand("layer5-perf", await repository.patch(LOCK, '{"version": 3}\n'), "kernel 1.0 -> 3.0\n");
  assert.equal((await pullRequests()).code, 0);
  assert.deepEqual(api.pullRequests.map(({ body }) => body.split("\n")[0]), ["kernel 1.0 -> 3.0"]);
});

test("every layer with a lock has a group, and every group takes what is its own", () => {
  assert.deepEqual(lockedLayers(graph).filter((layer) => !(layer in updateGroups)), ["layer6-app"], "only the app's lock has no packages of an index");
  const hash = `sha256-${"A".repeat(43)}=`;
  const lock = parseLockFile(JSON.stringify({ files: [
    { index: "pypi", name: "kernel", version: "1", file: "kernel-1.tar.gz", hash, system: "x86_64-linux" },
    { index: "pypi", name: "kernel", version: "1", file: "kernel-1.zip", hash, system: "aarch64-linux" },
    { git: "https://forge.example/a/sam", rev: "0".repeat(40), ref: "v1", name: "sam", version: "1", file: "sam", hash },
    { given: true, name: "by-hand", version: "1", file: "x.tar", hash },
  ] }), "test");
  const files = { flavor: "sample", graph, locks: new Map([["layer5-perf", lock], ["layer4-deps", lock]]) };
  const nixpkgs = { ...files, graph: { ...graph, flavors: { sample: { packageSet: "nixpkgs" } } } };
  assert.deepEqual(updateGroups["layer5-perf"].names(files), ["kernel"]);
  assert.deepEqual(updateGroups["layer3-pytorch"].names(files), []);
  assert.deepEqual(updateGroups.sources.names(files), ["sam"]);
  assert.deepEqual([updateGroups.nixpkgs.names(files), updateGroups.nixpkgs.names(nixpkgs)], [[], ["nixpkgs"]]);
});
