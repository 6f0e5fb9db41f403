/** A stack that an earlier release of this program brought up: today's runs no layer again, and publishes nothing again. */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { test } from "node:test";
import { keptReleases, takeRelease } from "../support/kept-release.ts";
import { preview, up } from "../support/pulumi.ts";
import { warmSandbox } from "../support/warm.ts";

/** What a release's stack may not run again: layers and publish. */
const costly = (names: Iterable<string>) => [...names].filter((name) => /^comfyui-(layer|publish-image)/.test(name)).sort();

for (const release of keptReleases()) {
  test(`the stack of ${release}: nothing is built or published again; an edit runs the layer that it is for`, async () => {
    await using sandbox = await warmSandbox();
    await takeRelease(sandbox, release);
    assert.deepEqual(costly((await preview(sandbox)).rows.keys()), []);
    assert.deepEqual(costly((await up(sandbox)).ran), []);
    appendFileSync(sandbox.host("layers/layer6-app/app/page.html"), "<!-- an edit -->\n");
    assert.deepEqual(costly((await preview(sandbox)).rows.keys()), ["comfyui-layer6-app", "comfyui-publish-image"]);
  });
}

test("a release is kept", () => assert.ok(keptReleases().length > 0));
