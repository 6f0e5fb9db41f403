/** One comment that is written anew, one pull request a branch; against a stand-in of GitHub's API. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { putComment, putPullRequest } from "../../infra/ci/github.ts";
import { marker } from "../../infra/preview/markdown.ts";
import { FaultError } from "../../infra/faults.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { GitHubApi } from "../support/github-api.ts";
import { run } from "../support/process.ts";

const MARKER = marker("team");
const repositoryOf = (api: GitHubApi) => ({ api: api.url, name: api.repository, token: api.token });

test("the comment is made once, then written anew, also where it is not on the first page; a person's is never touched", async () => {
  await using api = await GitHubApi.start();
  for (let at = 0; at < 130; at++) api.addComment("somebody", `${MARKER}\nquoted by a person`);
  assert.equal(await putComment(repositoryOf(api), 7, MARKER, `${MARKER}\none`), "created");
  api.addComment("github-actions[bot]", `${marker("prod")}\nof another stack`);
  assert.equal(await putComment(repositoryOf(api), 7, MARKER, `${MARKER}\ntwo`), "updated");
  const own = api.comments.filter(({ user }) => user.login === "github-actions[bot]").map(({ body }) => body);
  assert.deepEqual(own, [`${MARKER}\ntwo`, `${marker("prod")}\nof another stack`]);
  assert.equal(api.comments.length, 132);
});

test("one open pull request a branch: the second time it gets the new text", async () => {
  await using api = await GitHubApi.start();
  const text = { branch: "update/sources", base: "main", title: "Newer sources", body: "one" };
  const first = await putPullRequest(repositoryOf(api), text);
  assert.equal(await putPullRequest(repositoryOf(api), { ...text, body: "two" }), first);
  await putPullRequest(repositoryOf(api), { ...text, branch: "update/nixpkgs" });
  assert.deepEqual(api.pullRequests.map(({ head, body }) => [head, body]), [["update/sources", "two"], ["update/nixpkgs", "one"]]);
});

test("CI_GITHUB: a refusal and a silent server are errors that name the call", async () => {
  await using api = await GitHubApi.start();
  api.refuse("Resource not accessible by integration");
  const refused = putComment(repositoryOf(api), 7, MARKER, "x");
  await assert.rejects(refused, (error) => error instanceof FaultError && /^error\[CI_GITHUB\]: GET \/repos\/owner\/name\/issues\/7\/comments.*: GitHub refused\n  found:    403 .*Resource not accessible[^]*permissions/.test(error.message));
  const silent = putComment({ ...repositoryOf(api), api: "http://127.0.0.1:9" }, 7, MARKER, "x");
  await assert.rejects(silent, /error\[CI_GITHUB\]: .*no answer/);
});

test("as the workflow runs it, without any npm package: a file of the preview becomes the comment; any other is refused", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ci-comment-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const part of ["ci", "faults.ts"]) cpSync(join(CHECKOUT, "infra", part), join(folder, "infra", part), { recursive: true });
  await using api = await GitHubApi.start();
  const file = join(folder, "preview.md");
  const comment = (allowFailure = false) => run("node", ["infra/ci/comment.ts", file], { cwd: folder, allowFailure, env: { PATH: process.env["PATH"] ?? "", PULL_REQUEST: "7", ...api.env } });
  writeFileSync(file, `${MARKER}\n\ntext\n`);
  assert.match((await comment()).stdout, /created the comment on pull request 7/);
  assert.equal(api.comments[0]?.body, `${MARKER}\n\ntext\n`);
  writeFileSync(file, "something else\n");
  assert.match((await comment(true)).stderr, /is no text of infra\/ci\/preview\.ts/);
  assert.equal(api.comments.length, 1);
});

test("CI_ENVIRONMENT: a step without its variables names all of them", async () => {
  const { code, stderr } = await run("node", ["infra/ci/preview.ts", "x"], { cwd: CHECKOUT, allowFailure: true, env: { PATH: process.env["PATH"] ?? "" } });
  assert.equal(code, 1);
  assert.deepEqual([...stderr.matchAll(/error\[CI_ENVIRONMENT\]: (\w+)/g)].map(([, name]) => name), ["PULUMI_STACK", "COMMIT", "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"]);
});
