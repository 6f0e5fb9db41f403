/** How much an image may grow: the configuration, the note to the host, and what the host makes of it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseConfig } from "../../infra/config.ts";
import { FaultError } from "../../infra/faults.ts";
import { growthNote } from "../../infra/growth-note.ts";
import { leaveHere, leavingLine } from "../../infra/host-note.ts";
import { CHECKOUT } from "../support/checkout.ts";

const folder = mkdtempSync(join(tmpdir(), "comfyui-growth-"));
after(() => rmSync(folder, { recursive: true }));

const TAG = "0123456789ab";
const noted = (growth: object | undefined, env = {}) => growthNote(TAG, parseConfig(growth === undefined ? {} : { growth }, { isSecret: () => false }).growth, env).text();

test("the note: none without a configuration; yes for one run, or for one image", () => {
  assert.equal(noted(undefined, { COMFYUI_ACCEPT_GROWTH: "1" }), undefined);
  assert.equal(noted({ percent: 10 }), '{"accepted":false,"percent":10}');
  assert.equal(noted({ percent: 0.5 }, { COMFYUI_ACCEPT_GROWTH: "1" }), '{"accepted":true,"percent":0.5}');
  assert.equal(noted({ percent: 10, accept: TAG }), '{"accepted":true,"percent":10}');
  assert.equal(noted({ percent: 10, accept: "ba9876543210" }), '{"accepted":false,"percent":10}');
});

test("a tag of digits alone, which YAML reads as a number; what is no percentage and no tag", () => {
  const growth = (value: object) => parseConfig({ growth: value }, { isSecret: () => false }).growth;
  assert.deepEqual(growth({ percent: 1, accept: 123456789012 }), { percent: 1, accept: "123456789012" });
  const codes = (value: object) => {
    try {
      growth(value);
    } catch (error) {
      if (error instanceof FaultError) return error.faults.map(({ code, where }) => `${code} ${where}`);
    }
    return [];
  };
  assert.deepEqual(codes({ percent: 0 }), ["CONFIG_RANGE comfyui:growth.percent"]);
  assert.deepEqual(codes({}), ["CONFIG_MISSING comfyui:growth.percent"]);
  assert.deepEqual(codes({ percent: 1, accept: "latest" }), ["CONFIG_NAME comfyui:growth.accept"]);
});

test("a note is left on this machine, and in the same place by a host's login shell; the next run's takes its place", () => {
  const [here, there] = [join(folder, "here"), join(folder, "there")];
  for (const text of ["one", "two", undefined]) {
    const note = { file: "growth-x.json", text: () => text };
    leaveHere(here, note);
    const { line, input } = leavingLine("comfyui/team", note);
    mkdirSync(there, { recursive: true });
    const { status, stderr } = spawnSync("sh", ["-c", line], { cwd: there, input, env: { PATH: process.env["PATH"] }, encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
    for (const file of [join(here, "notes/growth-x.json"), join(there, "comfyui/team/.local/host/notes/growth-x.json")]) {
      assert.equal(existsSync(file) ? readFileSync(file, "utf8") : undefined, text, file);
    }
  }
});

let states = 0;

interface Publish {
  readonly state: string;
  readonly layers: Readonly<Record<string, number>>;
  readonly note?: object;
  readonly registry?: object;
}

/** What publish-image.sh does with these: asks, and where it may, keeps. */
function publish({ state, layers, note, registry = { kind: "registry", repository: "r.example/a" } }: Publish) {
  const image = mkdtempSync(join(folder, "image-"));
  // A layer of several blobs counts as a whole.
  const blobs = Object.entries(layers).flatMap(([attr, size]) => [{ attr, size: size - 1 }, { attr, size: 1 }]);
  writeFileSync(join(image, "image.json"), JSON.stringify({ layers: blobs }));
  leaveHere(state, { file: `growth-${TAG}.json`, text: () => note && JSON.stringify(note) });
  const script = `set -euo pipefail
. ${CHECKOUT}/infra/hosts/common.sh
. ${CHECKOUT}/infra/hosts/sources.sh
. ${CHECKOUT}/infra/hosts/growth.sh
REQUEST=$1
guard_growth ${TAG} ${image}
keep_sizes ${TAG} ${image}`;
  const request = { registry, flavor: "sample", compression: "zstd", system: "x86_64-linux" };
  const { status, stderr } = spawnSync("bash", ["-c", script, "bash", JSON.stringify(request)], { env: { ...process.env, COMFYUI_STATE: state }, encoding: "utf8" });
  return { status, stderr };
}

const fresh = () => join(folder, `state-${states++}`);
const MB = 1_000_000;
const note = { percent: 10, accepted: false };
const done = { status: 0, stderr: "" };

test("PUBLISH_GROWTH: names the image, the layers that grew, what they were, and how to say yes", () => {
  const state = fresh();
  assert.deepEqual(publish({ state, note, layers: { base: 900 * MB, app: 100 * MB } }), done, "there is nothing to compare the first one with");
  const grown = { state, layers: { base: 950 * MB, app: 160 * MB, nodes: 2 * MB } };
  const { status, stderr } = publish({ ...grown, note });
  assert.equal(status, 1);
  assert.equal(
    stderr,
    `error[PUBLISH_GROWTH]: the image ${TAG} has grown by more than comfyui:growth.percent allows; nothing was sent
  found:    the image 1 GB -> 1.1 GB (+11 %); app 100 MB -> 160 MB (+60 %); base 900 MB -> 950 MB (+6 %); nodes 0 MB -> 2 MB (new)
  expected: at most 10 % more than image ${TAG}
  fix:      look at what these layers took in; if it is meant, say yes for this run: COMFYUI_ACCEPT_GROWTH=1 pulumi up; or for this image: pulumi config set --path comfyui:growth.accept ${TAG}
`,
  );
  assert.equal(publish({ ...grown, note }).status, 1, "again, as long as nobody says yes");
  assert.deepEqual(publish({ ...grown, note: { ...note, accepted: true } }), done);
  assert.deepEqual(publish({ ...grown, note }), done, "what was published is what the next one is compared with");
});

test("one layer that grows is enough, where the image hardly does", () => {
  const state = fresh();
  publish({ state, layers: { base: 900 * MB, app: 10 * MB } });
  assert.match(publish({ state, note, layers: { base: 901 * MB, app: 12 * MB } }).stderr, /found: {4}the image 910 MB -> 913 MB \(\+0 %\); app 10 MB -> 12 MB \(\+20 %\)\n/);
});

test("no growth: less than a megabyte, within the percentage, smaller, another registry, and without a configuration", () => {
  const state = fresh();
  publish({ state, layers: { base: 900 * MB, app: MB } });
  assert.deepEqual(publish({ state, note, layers: { base: 900 * MB, app: 1.9 * MB } }), done);
  assert.deepEqual(publish({ state, note, layers: { base: 980 * MB, app: 1.9 * MB } }), done);
  assert.deepEqual(publish({ state, note, layers: { base: 100 * MB } }), done);
  assert.deepEqual(publish({ state, note, layers: { base: 5000 * MB }, registry: { kind: "registry", repository: "r.example/b" } }), done);
  assert.deepEqual(publish({ state, layers: { base: 5000 * MB } }), done);
});
