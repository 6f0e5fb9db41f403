/** The report's page, in a real browser: on a phone, on a desktop, in the dark; and with data that means harm. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import type { ReportLayer } from "../../infra/ops/report/data.ts";
import { reportPage } from "../../infra/ops/report/page.ts";
import { CHECKOUT } from "../support/checkout.ts";
import { startBrowser } from "../support/browser.ts";
import { assertGoodPage, clippedTexts, openAll, openPage, paleTexts } from "../support/report-page.ts";
import { reportData } from "../support/report-data.ts";

const style = readFileSync(join(CHECKOUT, "infra/ops/report/report.css"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "comfyui-report-"));
let browser: Browser;
before(async () => void (browser = await startBrowser()));
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

function pageFile(evil?: string): string {
  const file = join(folder, `report-${evil === undefined ? "plain" : "evil"}.html`);
  writeFileSync(file, reportPage(reportData(evil), style));
  return pathToFileURL(file).href;
}

for (const [name, width, scheme, paper] of [
  ["phone", 360, "light", "rgb(255, 255, 255)"],
  ["desktop", 1280, "light", "rgb(255, 255, 255)"],
  ["phone in the dark", 360, "dark", "rgb(18, 22, 28)"],
  ["desktop in the dark", 1280, "dark", "rgb(18, 22, 28)"],
] as const) {
  test(`${name}: nothing scrolls sideways, one of each chart's two drawings is shown, every text can be read`, async () => {
    await using opened = await openPage(browser, pageFile(), { width, scheme });
    await assertGoodPage(opened);
    const { page } = opened;
    assert.equal(await page.evaluate("getComputedStyle(document.body).backgroundColor"), paper);
    // Seven layers, the stack of them, the images.
    assert.equal(await page.locator("svg:visible").count(), 9);
    assert.equal(await page.locator("[role=img]:visible").count(), 9);
    // Each chart's own words, drawn in the page's colours and within its frame.
    assert.deepEqual(await clippedTexts(page), []);
    assert.deepEqual(await paleTexts(page), []);
  });
}

test("a stack whose first up did not end: the page says what is lacking", async () => {
  const data = reportData();
  const file = join(folder, "report-begun.html");
  const layers = data.layers.map((layer) => ({ ...layer, answer: undefined, runs: layer.runs.filter(({ outcome }) => outcome === "failed"), rebuilt: undefined, store: undefined }));
  writeFileSync(file, reportPage({ ...data, image: undefined, images: [], layers: [...layers.slice(0, 2), { ...data.layers[2] as ReportLayer, store: undefined }, ...layers.slice(3).map((layer) => ({ ...layer, runs: [] }))], cache: { problem: undefined, facts: [], parts: [] } }, style));
  await using opened = await openPage(browser, pathToFileURL(file).href, { width: 360, scheme: "light" });
  await assertGoodPage(opened);
  const text = (await opened.page.locator("body").textContent()) ?? "";
  for (const part of ["not published", "Nothing to show yet.", "layer0-basenot built", "No run is on record.", "No publish is on record.", "no more in the build host's store"]) assert.ok(text.includes(part), part);
  assert.doesNotMatch(text, /undefined|NaN|Infinity/);
});

test("every chart has a name and a table; every table a caption, and the headings that its rows have", async () => {
  await using opened = await openPage(browser, pageFile(), { width: 1280, scheme: "light" });
  const { page } = opened;
  await openAll(page);
  assert.equal(await page.getByRole("img", { name: /^Bars: .* table below/ }).count(), 9);
  assert.equal(await page.locator("table").count(), await page.locator("table > caption").count());
  const uneven = await page.locator("table").evaluateAll((tables) => tables.filter((each) => [...each.querySelectorAll("tbody tr")].some((row) => row.children.length !== each.querySelectorAll("th").length)).length);
  assert.equal(uneven, 0);
  assert.equal(await page.getByText("package-21-of-some-length").count(), 4);
  assert.match((await page.locator("details", { hasText: "layer3-pytorch" }).first().textContent()) ?? "", /Last rebuilt 2026-11-2\d \d\d:\d\d UTC: locks\/cu130\/layer3-pytorch\.lock\.json changed; on layer1-python, which was rebuilt\./);
});

test("what data says is text, wherever it stands: no element of it comes to life", async () => {
  const evil = `<script>document.title='taken'</script><img src=x onerror="document.title='taken'">"'&$&]]>`;
  const url = pageFile(evil);
  await using opened = await openPage(browser, url, { width: 360, scheme: "light" });
  const { page } = opened;
  await assertGoodPage(opened);
  assert.equal(await page.title(), `Image of stack team${evil}`);
  assert.deepEqual([await page.locator("script").count(), await page.locator("img").count()], [0, 0]);
  // Layer, package, version, store path, file of a reason, fault, tag: each is shown as it is.
  await openAll(page);
  const text = (await page.locator("body").textContent()) ?? "";
  for (const part of ["layer0-base", "package-1-of-some-length", "1.1.0", "python3.14-nvidia-cudnn-cu13-1", "layer0-base" + evil + ".lock.json", "LAYER_BUILD_FAILED", "0123456789ab", "s3://bucket/team"]) {
    assert.ok(text.includes(part + evil), part);
  }
});
