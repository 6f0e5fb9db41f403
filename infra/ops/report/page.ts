/** The page of a report. Pure: all of it is decided by its data. */
import { blobsSize } from "../../answers.ts";
import type { Reasons } from "../../preview/reasons.ts";
import { humanSize } from "../../table.ts";
import type { MeasuredRun } from "../builds/runs.ts";
import { growthText, whatHappened } from "../builds/text.ts";
import type { CacheHealth, CachePart } from "./cache.ts";
import { type Bar, durationText, lyingBars, standingBars } from "./charts.ts";
import type { ReportData, ReportLayer } from "./data.ts";
import { html, type Html } from "./html.ts";
import { type Column, tableOf } from "./tables.ts";

/** Runs of a chart, so that a bar can be seen on a phone. */
const CHARTED = 30;

/** Custom properties of the page by what a run did. */
const colours = { built: "built", fetched: "fetched", reused: "reused", failed: "failed" } as const;
type Kind = keyof typeof colours;

const names: Readonly<Record<Kind, string>> = { built: "built", fetched: "fetched from a cache", reused: "nothing to build", failed: "failed or stopped" };

export function reportPage(data: ReportData, style: string): string {
  const { stack, at, settings } = data;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>Image of stack ${stack}</title>
<style>
@@style@@</style>
</head>
<body>
<main>
<h1>Image of stack ${stack}</h1>
<p class="soft">Flavor ${settings.flavor}, ${settings.system}, ${settings.compression}; as of ${dateText(at.toISOString())}.</p>
${figures(data)}
<h2>Layers</h2>
${stackOfLayers(data)}
${legend()}
${data.layers.toReversed().map(layerPart)}
<h2>Image versions</h2>
${imageVersions(data)}
<h2>Binary cache</h2>
${cachePart(data.cache)}
</main>
</body>
</html>
`;
  // By a function: in a text, `$&` would mean something.
  return page.text.replace("@@style@@", () => style);
}

function figures({ image, layers, images }: ReportData): Html {
  const seconds = layers.reduce((sum, { answer }) => sum + (answer?.seconds ?? 0), 0);
  const all: [string, string][] = [
    ["Image", image === undefined ? "not published" : humanSize(image.size)],
    ["Tag", image?.tag ?? "-"],
    ["Blobs", String(layers.reduce((sum, { answer }) => sum + (answer?.blobs.length ?? 0), 0))],
    ["All layers took", durationText(seconds)],
    ["Last publish", images.length === 0 ? "-" : dateText((images.at(-1) as MeasuredRun).startedAt)],
  ];
  return html`<dl class="figures">${all.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function stackOfLayers({ layers }: ReportData): Html {
  // As the image is drawn everywhere: what is built last lies on top.
  const rows = layers.toReversed();
  const size = ({ answer }: ReportLayer) => (answer === undefined || answer.blobs.length === 0 ? undefined : blobsSize(answer));
  const columns: Column<ReportLayer>[] = [
    { head: "Layer", cell: ({ name }) => name },
    { head: "In the image", number: true, cell: (layer) => sizeText(size(layer)) },
    { head: "In the store", number: true, cell: ({ store }) => sizeText(store?.bytes) },
    { head: "Blobs", number: true, cell: ({ answer }) => String(answer?.blobs.length ?? "-") },
    { head: "Packages", number: true, cell: ({ packages }) => String(packages.length) },
    { head: "Last build", number: true, cell: ({ answer }) => (answer === undefined ? "-" : durationText(answer.seconds)) },
  ];
  const bars = rows.flatMap((layer) => (size(layer) === undefined ? [] : [{ label: layer.name, value: size(layer) as number, colour: colours.built }]));
  return html`<figure><figcaption>Compressed size of each layer's blobs, the topmost layer first</figcaption>${lyingBars({ title: "Bars: the compressed size of each layer. The table below has the figures.", unit: "bytes", bars })}</figure>
${tableOf("All layers, the topmost first", columns, rows)}`;
}

function legend(): Html {
  return html`<p>How long the last ${CHARTED} runs of each layer took:</p><ul class="legend">${Object.entries(names).map(([kind, name]) => html`<li><i style="background:var(--${colours[kind as Kind]})"></i>${name}</li>`)}</ul>`;
}

function layerPart(layer: ReportLayer): Html {
  const { name, answer, packages, runs } = layer;
  return html`<details open>
<summary><b>${name}</b><span class="soft">${answer === undefined ? "not built" : [answer.blobs.length === 0 ? "no blob" : humanSize(blobsSize(answer)), ...(packages.length === 0 ? [] : [counted(packages.length, "package")]), answer.cached ? "in the cache" : "not in the cache"].join(", ")}</span></summary>
${whyText(layer)}
${runs.length === 0 ? html`<p class="soft">No run is on record.</p>` : timesOf(name, runs)}
${packages.length === 0 ? "" : html`<details><summary>Packages (${packages.length})</summary><ul class="packages">${packages.map((each) => html`<li>${each.name} <span class="soft">${each.version ?? ""}</span></li>`)}</ul></details>`}
${answer === undefined ? "" : storePart(layer)}
</details>
`;
}

function storePart({ name, store }: ReportLayer): Html {
  if (store === undefined) return html`<p class="soft">Its contents are no more in the build host's store.</p>`;
  const title = store.paths > store.largest.length ? `Largest of its ${store.paths} store paths` : `Its ${counted(store.paths, "store path")}`;
  return html`<details><summary>${title}</summary>${tableOf(`Largest store paths of ${name}`, pathColumns, store.largest)}</details>`;
}

const pathColumns: Column<{ readonly path: string; readonly size: number }>[] = [
  // Without the folder, and the hash behind the name, by which people look for it.
  { head: "Store path", cell: ({ path }) => html`<code class="path">${path.replace(/^\/nix\/store\/[a-z0-9]{32}-/, "")}</code>` },
  { head: "Size", number: true, cell: ({ size }) => humanSize(size) },
];

function whyText({ rebuilt }: ReportLayer): Html {
  if (rebuilt === undefined) return html``;
  const { at, because } = rebuilt;
  return html`<p>Last rebuilt ${dateText(at)}: ${because === undefined ? "the first build on record" : reasonsText(because)}.</p>`;
}

/** Reasons of a rebuild, in words. */
export function reasonsText({ files, below, settings }: Reasons): Html {
  const parts = [
    ...files.slice(0, 5).map(({ file, how }) => html`<code>${file}</code> ${how}`),
    ...(files.length > 5 ? [html`${files.length - 5} more files`] : []),
    ...below.map((layer) => html`on ${layer}, which was rebuilt`),
    ...settings.map((setting) => html`<code>${setting}</code> set anew`),
  ];
  return parts.length === 0 ? html`the same inputs again` : html`${parts.map((part, at) => (at === 0 ? part : html`; ${part}`))}`;
}

function timesOf(name: string, runs: readonly MeasuredRun[]): Html {
  const bars = barsOf(runs, (run) => ({ value: run.seconds, colour: colours[kindOf(run)] }));
  return html`<figure>${standingBars({ title: `Bars: the seconds of each of the last ${bars.length} runs of ${name}. The table below has the figures.`, unit: "seconds", bars })}</figure>
<details><summary>Runs (${runs.length})</summary>${tableOf(`Runs of ${name}, the newest first`, runColumns, runs.toReversed())}</details>`;
}

export function kindOf(run: MeasuredRun): Kind {
  if (run.outcome !== "done") return "failed";
  if ((run.built ?? 0) > 0 || run.sentBytes !== undefined) return "built";
  return (run.substituted ?? 0) > 0 ? "fetched" : "reused";
}

const startColumn: Column<MeasuredRun> = { head: "Start", cell: ({ startedAt }) => dateText(startedAt) };
const measures: Column<MeasuredRun>[] = [
  { head: "Time", number: true, cell: ({ seconds }) => durationText(seconds) },
  { head: "Size", number: true, cell: ({ bytes }) => sizeText(bytes) },
  { head: "Growth", number: true, cell: growthText },
];
const runColumns: Column<MeasuredRun>[] = [startColumn, { head: "What happened", cell: (run) => (run.outcome === "done" ? whatHappened(run) : html`<span class="bad">${whatHappened(run)}</span>`) }, ...measures];

function imageVersions({ images, image }: ReportData): Html {
  if (images.length === 0) return html`<p class="soft">No publish is on record.</p>`;
  const bars = barsOf(images.filter(({ outcome }) => outcome === "done"), ({ bytes = 0 }) => ({ value: bytes, colour: colours.built }));
  const columns: Column<MeasuredRun>[] = [
    startColumn,
    { head: "Tag", cell: ({ key }) => html`<code>${key}</code>${key === image?.tag ? " (now)" : ""}` },
    runColumns[1] as Column<MeasuredRun>,
    ...measures,
    { head: "Digest", cell: (run) => (run.outcome === "done" ? html`<code>${run.digest?.slice(0, 19) ?? ""}</code>` : "-") },
  ];
  return html`${image === undefined ? "" : html`<p>Now <code>${image.reference}</code>, <code>${image.digest}</code></p>`}
<figure><figcaption>Size of the image, publish by publish</figcaption>${standingBars({ title: `Bars: the size of the last ${bars.length} published images. The table below has the figures.`, unit: "bytes", bars })}</figure>
${tableOf("Publishes, the newest first", columns, images.toReversed())}`;
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

function cachePart({ problem, facts, parts }: CacheHealth): Html {
  const columns: Column<CachePart>[] = [
    { head: "Stack", cell: ({ stack }) => stack },
    { head: "Part", cell: ({ part }) => part },
    { head: "State", cell: ({ trouble }) => (trouble === "" ? "ok" : html`<span class="bad">${trouble}</span>`) },
    { head: "Store paths", number: true, cell: ({ paths }) => String(paths) },
    { head: "Size", number: true, cell: ({ size }) => humanSize(size) },
  ];
  return html`${problem === undefined ? "" : html`<p class="bad">The cache cannot be read: ${problem}</p>`}
<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
${parts.length === 0 ? "" : tableOf("What the stacks need of the cache", columns, parts)}`;
}

function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? "-" : humanSize(bytes);
}

/** Bars of the newest runs: by their days, or by their times where all are of one day. */
function barsOf(runs: readonly MeasuredRun[], bar: (run: MeasuredRun) => Omit<Bar, "label">): Bar[] {
  const shown = runs.slice(-CHARTED);
  const [from, to] = new Set(shown.map(({ startedAt }) => startedAt.slice(0, 10))).size > 1 ? [5, 10] : [11, 16];
  return shown.map((run) => ({ label: run.startedAt.slice(from, to), ...bar(run) }));
}

/** In UTC: a report is read elsewhere. */
function dateText(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
