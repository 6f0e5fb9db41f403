import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageAnswer, LayerAnswer } from "../../infra/answers.ts";
import { configOf, nothingDone, readEvents } from "../../infra/quickstart/events.ts";
import { runCommand, shellWord } from "../../infra/quickstart/run-command.ts";
import { runnable } from "../../infra/snippets/runnable.ts";
import { happened, layerTable, summaryText } from "../../infra/quickstart/summary.ts";
import { humanSize, styleFor, table } from "../../infra/table.ts";

const plain = styleFor({ isTTY: false }, {});

const answer: LayerAnswer = {
  layer: "layer0-base",
  fingerprint: "f".repeat(64),
  storePath: "/nix/store/00000000000000000000000000000000-layer0-base",
  blobs: [12_000_000, 345_678].map((size) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar+zstd", digest: "sha256:a", diffId: "sha256:b", size, tarSize: 3 * size })),
  seconds: 12.34,
  built: 3,
  substituted: 0,
  reused: false,
  cached: true,
  startedAt: "2026-01-01T00:00:00Z",
  endedAt: "2026-01-01T00:00:12Z",
  log: "/logs/layer0-base.log",
};

const image: ImageAnswer = {
  reference: "oci:/p/.local/images:0123456789ab",
  tag: "0123456789ab",
  digest: "sha256:c",
  size: 100_000_000,
  status: "published",
  sentBytes: 1_500_000,
  skippedBytes: 98_500_000,
  seconds: 1,
};

const event = (kind: string, op: string, name: string, stdout?: string) =>
  JSON.stringify({ [kind]: { metadata: { op, urn: `urn:pulumi:local::comfyui::command:local:Command::${name}`, new: { outputs: { stdout } } } } });

test("sizes are decimal, and never 1000.0 of a smaller unit", () => {
  const cases: [number, string][] = [[0, "0 B"], [999, "999 B"], [1000, "1.0 kB"], [999_949, "999.9 kB"], [999_950, "1.0 MB"], [61_200_000, "61.2 MB"], [1.5e9, "1.5 GB"]];
  for (const [bytes, text] of cases) assert.equal(humanSize(bytes), text);
});

test("a table's columns are as wide as their widest cell, without colors counted", () => {
  assert.equal(table([["A", "B"], ["\u001b[1mlonger\u001b[0m", "1"], ["x", "22"]], [1]), "A        B\n\u001b[1mlonger\u001b[0m   1\nx       22");
  assert.equal(table([]), "");
});

test("colors only on a terminal that wants them", () => {
  assert.equal(styleFor({ isTTY: true }, {}).bold("x"), "\u001b[1mx\u001b[0m");
  assert.equal(styleFor({ isTTY: true }, { NO_COLOR: "1" }).bold("x"), "x");
  assert.equal(styleFor({ isTTY: true }, { TERM: "dumb" }).red("x"), "x");
  assert.equal(styleFor({}, {}).red("x"), "x");
});

test("what happened to a layer", () => {
  const run = (op: string, done = true) => ({ name: "comfyui-layer0-base", op, done });
  assert.equal(happened(undefined, undefined), "not started");
  assert.equal(happened(run("create", false), undefined), "failed");
  assert.equal(happened(run("same"), answer), "unchanged");
  assert.equal(happened(run("update"), answer), "built");
  assert.equal(happened(run("create"), { built: 0, substituted: 4, reused: false }), "from the cache");
  assert.equal(happened(run("create"), { built: 0, substituted: 0, reused: true }), "reused");
});

test("a layer's row: no seconds where nothing was done, no size where there is no blob", () => {
  const run = (op: string) => ({ name: "x", op, done: true });
  const text = layerTable(
    [
      { label: "layer0-base", run: run("create"), answer },
      { label: "layer1-python", run: run("same"), answer },
      { label: "layer2-wheels", run: run("create"), answer: { ...answer, blobs: [] } },
      { label: "layer6-app" },
    ],
    plain,
  );
  assert.deepEqual(text.split("\n"), [
    "LAYER          WHAT HAPPENED     SIZE  SECONDS",
    "layer0-base    built          12.3 MB     12.3",
    "layer1-python  unchanged      12.3 MB        -",
    "layer2-wheels  built                -     12.3",
    "layer6-app     not started          -        -",
  ]);
});

test("the events' last word counts; a resource that only began is not done", () => {
  const runs = readEvents(
    [
      event("resourcePreEvent", "create", "a"),
      event("resourcePreEvent", "create", "b"),
      event("resOutputsEvent", "create", "a", "{}"),
      JSON.stringify({ diagnosticEvent: { message: "x" } }),
      event("resourcePreEvent", "update", "c"),
      event("resOpFailedEvent", "update", "b"),
      "",
    ].join("\n"),
  );
  assert.deepEqual(runs.get("a"), { op: "create", done: true, stdout: "{}" });
  assert.equal(runs.get("b")?.done, false);
  assert.equal(runs.get("c")?.done, false);
});

test("nothing done: every resource the same", () => {
  assert.equal(nothingDone(readEvents(event("resOutputsEvent", "same", "a"))), true);
  assert.deepEqual(configOf(['{"sequence":0,"preludeEvent":{"config":{"comfyui:flavor":"{}"}}}', event("resOutputsEvent", "same", "a")].join("\n")), { "comfyui:flavor": "{}" });
  assert.deepEqual(configOf(""), {});
  assert.equal(nothingDone(readEvents([event("resOutputsEvent", "same", "a"), event("resOutputsEvent", "update", "b")].join("\n"))), false);
});

test("the summary names image, cache and command, and says that there was nothing to do", () => {
  const publish = { op: "same", done: true };
  const facts = { layers: [{ label: "layer0-base", answer }], publish, image, cache: { location: "/p/.local/cache", publicKey: "k:1" }, seconds: 3.2, runCommand: "run it", engine: "Pulumi 3.0.0" };
  const text = summaryText({ ...facts, nothingDone: true }, plain);
  for (const part of ["oci:/p/.local/images:0123456789ab", "sha256:c", "100.0 MB (unchanged)", "/p/.local/cache, key k:1", "Engine  Pulumi 3.0.0\n", "  run it", "Nothing to do: everything is built and published (3 s)."]) {
    assert.ok(text.includes(part), `${part} in:\n${text}`);
  }
  const images = { "aarch64-linux": { digest: "sha256:arm", size: 1 }, "x86_64-linux": { digest: "sha256:x86", size: 2 } };
  assert.match(summaryText({ ...facts, image: { ...image, images }, nothingDone: true }, plain), /\nDigest +sha256:c\naarch64-linux +sha256:arm\nx86_64-linux +sha256:x86\nSize /);
  const sent = summaryText({ ...facts, publish: { ...publish, op: "update" }, nothingDone: false }, plain);
  assert.ok(sent.includes("100.0 MB (sent 1.5 MB, 98.5 MB were there)") && sent.includes("Done in 3 s."), sent);
  const again = summaryText({ ...facts, publish: { ...publish, op: "create" }, image: { ...image, status: "already published" }, nothingDone: false }, plain);
  assert.ok(again.includes("(already published)"), again);
});

test("a failed run's summary gives no command", () => {
  const text = summaryText({ layers: [{ label: "layer0-base" }], nothingDone: false, seconds: 3, engine: "Pulumi 3.0.0" }, plain);
  assert.match(text, /not started/);
  assert.match(text, /Not finished/);
});

test("the command that runs the image, for each engine", () => {
  const at = (reference: string, gpu = false) => ({ image: runnable({ reference, tag: "0123456789ab", digest: "sha256:d" }, { flavor: "sample", compression: "zstd", gpu }), storePath: "/nix/store/x-layer6-app" });
  const folder = at("oci:/a b/.local/images:0123456789ab");
  assert.match(runCommand({ ...folder, engine: "docker" }), /^\. \.local\/env\.sh && docker run --rm --publish 127\.0\.0\.1:8188:8188 --volume comfyui-data:\/data --read-only .*"\$\(nix run path:\.\/layers#load\)"$/);
  assert.match(runCommand({ ...folder, engine: "podman" }), /^podman run --rm --publish .* 'oci:\/a b\/\.local\/images:0123456789ab'$/);
  assert.match(runCommand({ ...at("docker://host:5000/comfyui:0123456789ab", true), engine: "docker" }), /^docker run --rm --gpus all .* host:5000\/comfyui@sha256:d$/);
  assert.equal(runCommand({ ...folder, engine: "none" }), "PATH=/nix/store/x-layer6-app/bin:$PATH comfyui --base-directory .local/data");
});

test("one shell word", () => {
  assert.equal(shellWord("oci:/a/b:1"), "oci:/a/b:1");
  assert.equal(shellWord("it's"), `'it'\\''s'`);
});
