/** What people read of a preview: on a terminal, and in a pull request's comment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { type Changes, PUBLISH } from "../../infra/preview/changes.ts";
import { changesMarkdown, marker } from "../../infra/preview/markdown.ts";
import { changesText } from "../../infra/preview/text.ts";
import { duration } from "../../infra/preview/words.ts";
import { styleFor } from "../../infra/table.ts";
import { base, chain, changes, type Request, resourceStep, step, took } from "../support/synthetic-preview.ts";

const plain = { style: styleFor({}, {}), width: 80 };
const coloured = { ...plain, style: styleFor({ isTTY: true }, {}) };
const markdown = (all: Changes) => changesMarkdown(all, "foot");
const longest = (text: string) => Math.max(...stripVTControlCharacters(text).split("\n").map((line) => line.length));

const publish = (layer1: string) => ({ tag: layer1, layers: { "layer1-python": layer1 } });
const edited = { ...base, inputs: { ...(base["inputs"] as Request), "lib/a.nix": "ba0987654321+x" } };
const some = changes(
  [
    step("comfyui-layer1-python", "update", base, edited),
    step(PUBLISH, "update", publish("1"), publish("2")),
    resourceStep("comfyui-build-host-instance", "aws:ec2/instance:Instance", "replace", { diffReasons: ["ami"], replaceReasons: ["ami"] }),
    resourceStep("comfyui-name", "aws:route53/record:Record", "create"),
  ],
  undefined,
  { "comfyui-layer0-base": took(300), "comfyui-layer1-python": took(200, 24_000_000), [PUBLISH]: took(4, 64_000_000) },
);

test("80 columns of a terminal", () => {
  assert.equal(
    changesText(some, plain),
    `Stack team: 1 of 2 layers runs, the image is published, 2 other resources
change: 1 replaced

LAYER                     LAST TIME      SIZE  BECAUSE
layer0-base    unchanged    300.0 s  300.0 MB
layer1-python  runs         200.0 s   24.0 MB  lib/a.nix 1234567 → ba09876+x
publish        runs           4.0 s   64.0 MB  on layer1-python

Time   about 3 min, as the last time: layer1-python → publish
Sends  the blobs of layer1-python: up to 24.0 MB by their last sizes; not those
       that turn out to be as before

OTHER RESOURCE                         TYPE                       BECAUSE
comfyui-build-host-instance  replaced  aws:ec2/instance:Instance  ami
                                                                  replaced for
                                                                  ami
comfyui-name                 created   aws:route53/record:Record

Engine: Pulumi 3.274.1 with this project's stand-in for the command plugin`,
  );
});

test("colours: what runs, what stays, and what goes away", () => {
  const text = changesText(some, coloured);
  assert.equal(stripVTControlCharacters(text), changesText(some, plain));
  for (const word of ["\u001b[33mruns\u001b[0m", "\u001b[2munchanged\u001b[0m", "\u001b[31m\u001b[1mreplaced\u001b[0m"]) assert.ok(text.includes(word), JSON.stringify(word));
});

test("a pull request's comment: marker, picture, facts and tables", () => {
  assert.equal(
    markdown(some),
    `<!-- preview of stack team -->

### Preview of stack \`team\`: 1 of 2 layers runs, the image is published, 2 other resources change: 1 replaced

\`\`\`mermaid
flowchart BT
  n-layer0-base["layer0-base<br/>unchanged"]:::stays
  n-layer1-python["layer1-python<br/>runs, 3 min"]:::runs
  n-layer0-base --> n-layer1-python
  publish["publish<br/>runs, 4.0 s"]:::runs
  n-layer1-python --> publish
  classDef runs fill:#9a6700,stroke:#633c01,color:#ffffff,stroke-width:2px
  classDef stays fill:#eaeef2,stroke:#8c959f,color:#424a53
\`\`\`

- Time: about 3 min, as the last time: \`layer1-python\` → \`publish\`
- Sends: the blobs of \`layer1-python\`: up to 24.0 MB by their last sizes; not those that turn out to be as before

| layer |  | last time | size | because |
|--|--|--|--|--|
| layer0-base | – | 5 min | 300.0 MB |  |
| layer1-python | **runs** | 3 min | 24.0 MB | \`lib/a.nix\` 1234567 → ba09876+x |
| publish | **runs** | 4.0 s | 64.0 MB | on \`layer1-python\` |

| resource | type |  | because |
|--|--|--|--|
| \`comfyui-build-host-instance\` | \`aws:ec2/instance:Instance\` | **replaced** ⚠️ | \`ami\`; replaced for \`ami\` |
| \`comfyui-name\` | \`aws:route53/record:Record\` | **created** |  |

<sub>foot · Engine: Pulumi 3.274.1 with this project's stand-in for the command plugin</sub>
`,
  );
});

test("a layer that is no blob is waited for by a dotted line, and is under no publish", () => {
  const [lower, upper] = chain("layer2-wheels", "layer3-pytorch");
  const text = markdown(changes([], [{ ...lower!, blob: false }, upper!]));
  assert.match(text, /^ {2}n-layer2-wheels -\.-> n-layer3-pytorch$/m);
  assert.deepEqual(text.match(/^.*--> publish$/gm), ["  n-layer3-pytorch --> publish"]);
});

test("headlines and times of the rare cases", () => {
  const title = (steps: object[], last = {}) => changesText(changes(steps, undefined, last), { ...plain, width: 200 }).split("\n");
  assert.equal(title([])[0], "Stack team: nothing to do");
  const first = [step("comfyui-layer0-base", "create", undefined, base), step("comfyui-layer1-python", "create", undefined, base), step(PUBLISH, "create", undefined, base)];
  const unbuilt = title(first);
  assert.equal(unbuilt[0], "Stack team: 2 of 2 layers run, the image is published");
  assert.match(unbuilt.join("\n"), /^layer0-base +runs for the first time +- +-$/m);
  assert.match(unbuilt.join("\n"), /^Time +unknown, since nothing of it was built before: layer0-base → layer1-python → publish\nSends +everything that the registry lacks: a size that is known once they are built$/m);
  assert.match(title(first, { "comfyui-layer0-base": took(90) }).join("\n"), /^Time +at least 90 s, as the last time: layer0-base → layer1-python → publish$/m);
  assert.equal(title([step(PUBLISH, "update", publish("1"), { ...publish("1"), registry: { path: "b" } })])[0], "Stack team: no layer runs, the image is published");
  assert.equal(title([step("old", "delete", base)])[0], "Stack team: 0 of 2 layers run, 1 other resource changes: 1 deleted");
});

test("durations", () => assert.deepEqual([0.44, 9.96, 59.6, 119, 120, 3599, 7265].map(duration), ["0.4 s", "10.0 s", "60 s", "119 s", "2 min", "1 h 0 min", "2 h 1 min"]));

test("long lists are cut, with how many are left out", () => {
  const inputs = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`f${String(at).padStart(2, "0")}.nix`, "1"]));
  const many = Array.from({ length: 150 }, (_, at) => step(`r${at}`, "create", undefined, base));
  const text = markdown(changes([step("comfyui-layer0-base", "update", base, { ...base, inputs: { ...(base["inputs"] as Request), ...inputs } }), ...many]));
  assert.match(text, /`f07\.nix` \(added\); and 22 more files \|/);
  assert.match(text, /… and 90 more, in the whole output/);
});

test("a failed preview shows the engine's errors, whatever they hold, and no table", () => {
  const message = `error[CONFIG_KIND]: \u001b[31mbad\u001b[0m\n\`\`\`\n@someone <b>`;
  const failed = (errors: string[]): Changes => ({ ...some, errors });
  const text = markdown(failed([message]));
  assert.match(text, /: failed\n\n````\nerror\[CONFIG_KIND\]: bad\n```\n@someone <b>\n````\n/);
  assert.doesNotMatch(text, /\| layer|mermaid/);
  const long = markdown(failed(["x".repeat(100_000)]));
  assert.ok(long.length < 65_536 && long.includes("… (cut off)"), `${long.length}`);
});

test("names in a comment cannot end their cell, begin markup or mention anybody", () => {
  const text = markdown(changes([step("evil`|\n@all", "create", undefined, base)]));
  assert.ok(text.includes("| `evil???@all` |"), text);
});

test("the comment begins with its marker", () => assert.ok(markdown(changes([])).startsWith(`${marker("team")}\n`)));

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,99}$/);
const file = fc.stringMatching(/^[a-z0-9/.-]{1,120}$/);

test("property: no table is wider than the terminal, and no comment longer than GitHub takes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 80, max: 200 }), fc.uniqueArray(name, { maxLength: 120 }), fc.uniqueArray(file, { maxLength: 12 }), fc.uniqueArray(name, { maxLength: 12 }), (width, names, files, properties) => {
      const inputs = Object.fromEntries(files.map((each) => [each, "0123456789ab"]));
      const after = { ...base, inputs, ...Object.fromEntries(properties.map((each) => [each, 1])) };
      const layers = chain(...Array.from({ length: 16 }, (_, at) => `layer${at}-something`));
      const steps = [...layers.map(({ resource }) => step(resource, "update", base, after)), ...names.map((each) => step(each, "update", base, after, { replaceReasons: properties }))];
      const all = changes(steps, layers);
      const text = changesText(all, { ...coloured, width });
      assert.ok(longest(text) <= width, text);
      assert.ok(markdown(all).length < 65_536, `${markdown(all).length}`);
    }),
    { numRuns: 60 },
  );
});
