/** How `npm run test:full` has another ComfyUI locked. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lockedLayers } from "../../infra/lock/assignment.ts";
import { formatRequirements, parseRequirements, type RequirementsText } from "../../infra/lock/requirements-file.ts";
import { readLayerGraph } from "../../infra/read-plan.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { requirementsFor } from "../support/comfyui-source.ts";

const flavor = JSON.parse(readFileSync(join(CHECKOUT, "layers/flavors/pypi/requirements.json"), "utf8")) as RequirementsText;
const hash = `sha256-${"A".repeat(43)}=`;
const source = (requirements: string) => ({ rev: "1".repeat(40), hash, version: "9.9.9", requirements });

test("a copy of the flavor has the checkout's revision, hash and requirements; lower layers stay, with its bounds", () => {
  const changed = requirementsFor(flavor, source("torch\nnumpy>=1.25.0\n\n# comment\nSQLAlchemy>=2\nnew-thing==1.0\neinops\n"));
  assert.deepEqual(changed.layers["layer4-deps"], ["einops", "new-thing==1.0", "SQLAlchemy>=2"]);
  const others = ({ layers: { "layer4-deps": _, ...rest } }: RequirementsText) => rest;
  assert.deepEqual(others(changed), others(flavor));
  assert.deepEqual(changed.bounds, ["numpy>=1.25.0"]);
  const git = "https://github.com/Comfy-Org/ComfyUI";
  assert.deepEqual(changed.files, [{ git, rev: "1".repeat(40), name: "comfyui", version: "9.9.9", file: "comfyui-9.9.9", hash, requires: [] }]);
  parseRequirements(formatRequirements(changed), "requirements.json", lockedLayers(readLayerGraph(join(CHECKOUT, "layers"))));
});

test("a line of its requirements.txt that names no package of an index ends it", () => {
  assert.throws(() => requirementsFor(flavor, source("einops\ngit+https://example.org/x.git\n")), /cannot be locked: git\+https:\/\/example\.org/);
});
