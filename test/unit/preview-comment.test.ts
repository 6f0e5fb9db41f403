/** What a pull request's comment says about a preview; from the JSON that the engine writes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { marker, previewComment } from "../../infra/ci/preview-comment.ts";
import { reasonsOf } from "../../infra/preview/reasons.ts";
import { parsePreview, type Row } from "../../infra/preview/steps.ts";

type Request = Record<string, unknown>;
const COMMAND = "command:local:Command";

function step(name: string, op: string, before?: Request, after?: Request, more: object = {}): object {
  const state = (request: Request | undefined) => request && { type: COMMAND, custom: true, inputs: { stdin: JSON.stringify(request) } };
  return { op, urn: `urn:pulumi:team::comfyui::${COMMAND}::${name}`, oldState: state(before), newState: state(after), ...more };
}

const base = { fingerprint: "a", below: "b", graph: "g", compression: "zstd", cache: { kind: "directory", path: "x" }, inputs: { "lib/a.nix": "1", "x.json": "1" }, on: { "layer0-base": "a" } };
const previewOf = (...steps: object[]) => parsePreview(JSON.stringify({ steps }));
const rowOf = (after: Request, more: object = {}) => previewOf(step("comfyui-x", "update", base, { ...base, ...after }, more)).rows.get("comfyui-x") as Row;

const layers = new Map(["layer0-base", "layer1-python"].map((attr) => [attr, `comfyui-${attr}`]));
const facts = { stack: "team", commit: "0123456789abcdef", runUrl: "https://forge.example/o/r/actions/runs/7", layers };

test("reasons: files by what happened to them, layers below, settings; never what follows from these", () => {
  assert.deepEqual(reasonsOf(rowOf({ fingerprint: "z", below: "z", inputs: { "lib/a.nix": "2", "new.nix": "1" } })), {
    files: [{ file: "lib/a.nix", how: "changed" }, { file: "new.nix", how: "added" }, { file: "x.json", how: "removed" }],
    below: [],
    settings: [],
  });
  assert.deepEqual(reasonsOf(rowOf({ fingerprint: "z", below: "z", on: { "layer0-base": "z" } })), { files: [], below: ["layer0-base"], settings: [] });
  assert.deepEqual(reasonsOf(rowOf({ graph: "z", compression: "gzip", cache: { kind: "directory", path: "y" } }, { diffReasons: ["stdin", "create"] })), {
    files: [],
    below: [],
    settings: ["cache.path", "compression", "layers.json", "create"],
  });
});

test("every key of a request is known to the reasons, or meant to be shown by its name", () => {
  const publish = { layers: { "layer6-app": "1" }, registry: { kind: "registry", repository: "a" }, tag: "1" };
  const { rows } = previewOf(step("comfyui-publish-image", "update", publish, { layers: { "layer6-app": "2" }, registry: { kind: "registry", repository: "b" }, tag: "2" }));
  assert.deepEqual(reasonsOf(rows.get("comfyui-publish-image") as Row), { files: [], below: ["layer6-app"], settings: ["registry.repository"] });
});

test("a layer that runs, the one that it takes along, the one that stays; and the publish", () => {
  const preview = previewOf(
    step("comfyui-layer0-base", "same", base, base),
    step("comfyui-layer1-python", "update", base, { ...base, inputs: { ...base.inputs, "x.json": "2" } }),
    step("comfyui-publish-image", "update", { tag: "1", layers: { "layer1-python": "1" } }, { tag: "2", layers: { "layer1-python": "2" } }),
  );
  assert.equal(
    previewComment({ ...facts, preview }),
    `<!-- preview of stack team -->

### Preview of stack \`team\`: 1 of 2 layers runs, and 1 other resource

| layer |  | because |
|--|--|--|
| layer0-base | – |  |
| layer1-python | **runs** | \`x.json\` |

| resource | type |  | because |
|--|--|--|--|
| \`comfyui-publish-image\` | \`command:local:Command\` | **runs** | on \`layer1-python\` |

<sub>\`pulumi preview --diff\` of stack \`team\` at 0123456789ab · [whole output](https://forge.example/o/r/actions/runs/7)</sub>
`,
  );
});

test("nothing to do; components and the stack itself are not resources that run", () => {
  const group = { op: "create", urn: "urn:pulumi:team::comfyui::comfyui:image:Layers::comfyui", newState: { type: "comfyui:image:Layers", custom: false } };
  const text = previewComment({ ...facts, preview: previewOf(step("comfyui-layer0-base", "same", base, base), group) });
  assert.match(text, /### Preview of stack `team`: nothing to do\n/);
  assert.doesNotMatch(text, /comfyui:image:Layers/);
});

test("first run, replacement, removal, and other kinds of resources have words of their own", () => {
  const bucket = (name: string, op: string) => ({ op, urn: `urn:pulumi:team::comfyui::aws:s3/bucket:Bucket::${name}`, newState: { type: "aws:s3/bucket:Bucket", custom: true }, diffReasons: ["tags"] });
  const preview = previewOf(
    step("comfyui-layer0-base", "create", undefined, base),
    step("old", "delete", base),
    step("host", "delete-replaced", base, undefined),
    step("host", "create-replacement", undefined, base),
    bucket("one", "create"), bucket("two", "update"), bucket("three", "read"),
  );
  const text = previewComment({ ...facts, preview });
  const rows = ["layer0-base | **runs for the first time**", "`old` | `command:local:Command` | **is removed**", "`host` | `command:local:Command` | **is replaced**", "`one` | `aws:s3/bucket:Bucket` | **created** | `tags`", "**updated**", "**read**"];
  for (const row of rows) assert.ok(text.includes(row), `${row} in:\n${text}`);
  assert.equal(text.match(/`host`/g)?.length, 1);
});

test("long lists are cut, with how many are left out", () => {
  const inputs = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`f${String(at).padStart(2, "0")}.nix`, "1"]));
  const many = Array.from({ length: 150 }, (_, at) => step(`r${at}`, "create", undefined, base));
  const text = previewComment({ ...facts, preview: previewOf(step("comfyui-layer0-base", "update", base, { ...base, inputs: { ...base.inputs, ...inputs } }), ...many) });
  assert.match(text, /`f07\.nix` \(added\), and 22 more files \|/);
  assert.match(text, /… and 50 more, in the whole output/);
  assert.ok(text.length < 65_536, `${text.length}`);
});

test("a failed preview shows the engine's errors, whatever they hold, and no table", () => {
  const message = `error[CONFIG_KIND]: \u001b[31mbad\u001b[0m\n\`\`\`\n@someone <b>`;
  const preview = parsePreview(JSON.stringify({ steps: [step("a", "create", undefined, base)], diagnostics: [{ severity: "error", message }, { severity: "info", message: "no matter" }] }));
  const text = previewComment({ ...facts, preview });
  assert.match(text, /: failed\n\n````\nerror\[CONFIG_KIND\]: bad\n```\n@someone <b>\n````\n/);
  assert.doesNotMatch(text, /no matter|\| layer/);
  const long = previewComment({ ...facts, preview: { ...preview, errors: ["x".repeat(100_000)] } });
  assert.ok(long.length < 65_536 && long.includes("… (cut off)"), `${long.length}`);
});

test("names in a comment cannot end their cell, begin markup or mention anybody", () => {
  const text = previewComment({ ...facts, preview: previewOf(step("evil`|\n@all", "create", undefined, base)) });
  assert.ok(text.includes("| `evil???@all` |"), text);
});

test("the comment begins with its marker", () => {
  assert.ok(previewComment({ ...facts, preview: previewOf() }).startsWith(`${marker("team")}\n`));
});
