/** What the lock tool makes of git servers' answers and of what custom nodes say they require. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRefs, revisionOf } from "../../infra/lock/git-remote.ts";
import { repositoryOf } from "../../infra/lock/git-url.ts";
import { newerRevision } from "../../infra/lock/newer-ref.ts";
import { nameOf, nodeRequirements } from "../../infra/lock/node-requirements.ts";
import { assertFault } from "./faults.ts";

const commit = (digit: string) => digit.repeat(40);

test("an annotated tag means its commit; of a tag and a branch of one name the tag counts", () => {
  const refs = parseRefs([`${commit("1")}\trefs/heads/main`, `${commit("2")}\trefs/tags/v1`, `${commit("3")}\trefs/tags/v1^{}`, `${commit("4")}\trefs/heads/v1`, `${commit("5")}\trefs/pull/1/head`, ""].join("\n"));
  assert.deepEqual(revisionOf(refs, "v1", "u"), { rev: commit("3"), ref: "v1" });
  assert.deepEqual(revisionOf(refs, "main", "u"), { rev: commit("1"), ref: "main" });
});

for (const input of ["v3", "0123456789ab"]) {
  test(`LOCK_GIT_REV: ${input}`, () => assertFault({ code: "LOCK_GIT_REV", input, where: "u", says: [`found:    ${input}`, "expected: v1, main"] }, (name) =>
    revisionOf({ tags: new Map([["v1", commit("1")]]), branches: new Map([["main", commit("2")]]) }, name, "u")));
}

test("an update follows tags that differ in the version alone, and a branch to its head", () => {
  const tags = ["v1.2", "v1.10", "v1.9.9", "v2.0-rc1", "2.0", "nightly-7", "v1.11-cuda"];
  const refs = { tags: new Map(tags.map((name, at) => [name, commit(String(at))])), branches: new Map([["main", commit("a")]]) };
  const leads = (ref: string) => newerRevision(refs, ref)?.ref;
  assert.deepEqual(["v1.2", "v1.10", "2.0", "v1.11-cuda", "nightly-7", "main"].map(leads), ["v1.10", "v1.10", "2.0", "v1.11-cuda", "nightly-7", "main"]);
  assert.equal(newerRevision(refs, "main")?.rev, commit("a"));
  assert.equal(newerRevision(refs, "gone"), undefined);
});

test("an address gives a folder and a name; a suffix and slashes at the end say nothing", () => {
  assert.deepEqual(repositoryOf("https://localhost/owner/ComfyUI_Some.Node.git/"), { git: "https://localhost/owner/ComfyUI_Some.Node.git", folder: "ComfyUI_Some.Node", name: "comfyui-some-node" });
  assert.equal(repositoryOf("file:///srv/a/Node").folder, "Node");
});

const addresses: [string, string][] = [
  ["git@localhost:owner/node", "found:    git@localhost:owner/node"],
  ["ssh://localhost/owner/node", "found:    ssh://localhost/owner/node"],
  ["https://user:secret@localhost/owner/node", "found:    https://…@localhost/owner/node"],
  ["https://localhost/owner/node?ref=main", "says more than where"],
  ["https://localhost/", "name cannot be that of a folder"],
  ["file:///srv/a%20node", "found:    a node"],
];
for (const [input, says] of addresses) {
  test(`LOCK_GIT_URL: ${input}`, () => assertFault({ code: "LOCK_GIT_URL", input, where: "npm run lock", says: [says] }, repositoryOf));
}

const reads = (files: Readonly<Record<string, string>>) => (file: string) => files[file];

test("requirements.txt is read as pip reads it, and counts before pyproject.toml", () => {
  const text = "# what it needs\nnumpy>=1.26 # arrays\r\n\nPillow\nnumpy>=1.26\ntransformers[torch]; \\\n  python_version >= '3.9'\nscipy==1.0 --hash=sha256:00\n--extra-index-url https://localhost/cu121\n-r more.txt\n";
  const found = nodeRequirements(reads({ "requirements.txt": text, "more.txt": "-r requirements.txt\n-r never.txt\neinops\n", "pyproject.toml": '[project]\ndependencies = ["other"]\n' }), ["pillow"]);
  assert.deepEqual(found, { requires: ["numpy>=1.26", "transformers[torch]; python_version >= '3.9'", "scipy==1.0", "einops"], refused: ["-r never.txt"] });
});

test("pyproject.toml: the dependencies of the project, and of nothing else", () => {
  const toml = '[build-system]\ndependencies = ["no"]\n[project]\nname = "x"\ndependencies = [\n  "uvicorn[standard]>=1", # a comment with "quotes" and ]\n  \'einops ; sys_platform == "linux"\',\n]\n[project.urls]\nx = "y"\n';
  assert.deepEqual(nodeRequirements(reads({ "pyproject.toml": toml }), []), { requires: ["uvicorn[standard]>=1", 'einops ; sys_platform == "linux"'], refused: [] });
  assert.deepEqual(nodeRequirements(reads({ "pyproject.toml": '[project]\ndynamic = ["version", "dependencies"]\n' }), []).refused, ["the dynamic dependencies of pyproject.toml"]);
  assert.deepEqual(nodeRequirements(reads({}), []), { requires: [], refused: [] });
});

test("what cannot be locked is told line by line, and can be left out by name", () => {
  const lines = ["git+https://localhost/owner/sam_two.git@main", "clip @ git+https://localhost/owner/CLIP", "https://localhost/x-1.0-py3-none-any.whl", "./local", "-e .", "git+https://localhost/o/r#egg=Egg"];
  const read = reads({ "requirements.txt": lines.join("\n") });
  assert.deepEqual(nodeRequirements(read, []), { requires: [], refused: lines });
  assert.deepEqual(lines.filter((_, at) => at !== 4).map(nameOf), ["sam-two", "clip", "x-1-0-py3-none-any-whl", "local", "egg"]);
  assert.deepEqual(nodeRequirements(read, ["sam-two", "clip", "egg"]).refused, [lines[2], lines[3], lines[4]]);
});
