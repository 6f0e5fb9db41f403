/** Charts as SVG, drawn here: a page with them needs no script. Colours are the page's, so that they follow it into the dark. */
import { BarChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { humanSize } from "../../table.ts";
import { html, Html } from "./html.ts";

use([BarChart, GridComponent, SVGRenderer]);

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** A custom property of the page, without the dashes. */
  readonly colour: string;
}

export interface Chart {
  /** For who does not see it: what it shows. The figures are in a table beside it. */
  readonly title: string;
  readonly unit: "bytes" | "seconds";
  readonly bars: readonly Bar[];
}

/** Of a phone's page and of a desktop's; the page shows one of them. */
const WIDTHS = { narrow: 296, wide: 720 } as const;

const units: Readonly<Record<Chart["unit"], (value: number) => string>> = { bytes: humanSize, seconds: durationText };

/** Seconds, or minutes where they are many. */
export function durationText(seconds: number): string {
  return seconds < 180 ? `${Number(seconds.toFixed(1))} s` : `${Number((seconds / 60).toFixed(1))} min`;
}

const text = { color: "var(--ink)", fontSize: 12, fontFamily: "system-ui, sans-serif" };
const grid = { splitLine: { lineStyle: { color: "var(--line)" } } };

/** A bar below the other, each with its name and its value: few of them. */
export function lyingBars(chart: Chart): Html {
  const { bars, unit } = chart;
  return drawn(chart, bars.length * 30 + 16, (width) => ({
    grid: { left: nameWidth(bars, width), right: 76, top: 4, bottom: 4, outerBoundsMode: "none" },
    xAxis: { type: "value", min: 0, axisLabel: { show: false }, splitLine: { show: false } },
    yAxis: { type: "category", inverse: true, data: bars.map(({ label }) => label), axisLabel: { ...text, width: nameWidth(bars, width) - 8, overflow: "truncate" }, axisTick: { show: false }, axisLine: { lineStyle: { color: "var(--line)" } } },
    series: [{ ...barsOf(bars), barWidth: 18, label: { ...text, show: true, position: "right", textBorderWidth: 0, formatter: ({ value }: { value: number }) => units[unit](value) } }],
  }));
}

/** A bar beside the other, for what happened over time. */
export function standingBars(chart: Chart): Html {
  const { bars, axis } = scaled(chart);
  return drawn(chart, 150, () => ({
    grid: { left: 66, right: 8, top: 12, bottom: 24, outerBoundsMode: "none" },
    xAxis: { type: "category", data: bars.map(({ label }) => label), axisLabel: { ...text, hideOverlap: true, alignMinLabel: "left", alignMaxLabel: "right" }, axisTick: { show: false }, axisLine: { lineStyle: { color: "var(--line)" } } },
    yAxis: { type: "value", min: 0, splitNumber: 3, axisLabel: { ...text, formatter: axis }, ...grid },
    series: [{ ...barsOf(bars), barMaxWidth: 22, barMinHeight: 2 }],
  }));
}

/** An axis has round figures: in minutes, where seconds are many. */
function scaled({ bars, unit }: Chart): { bars: readonly Bar[]; axis: (value: number) => string } {
  const inMinutes = unit === "seconds" && Math.max(...bars.map(({ value }) => value)) >= 180;
  return inMinutes ? { bars: bars.map((bar) => ({ ...bar, value: bar.value / 60 })), axis: (minutes) => `${minutes} min` } : { bars, axis: units[unit] };
}

/** Letters are measured here, since the page's font is that of who reads it: a wide one's. */
function nameWidth(bars: readonly Bar[], width: number): number {
  return Math.min(Math.max(...bars.map(({ label }) => label.length)) * 7.8 + 10, width * 0.42);
}

function barsOf(bars: readonly Bar[]) {
  return { type: "bar" as const, data: bars.map(({ value, colour }) => ({ value, itemStyle: { color: `var(--${colour})`, borderRadius: 2 } })) };
}

type Option = Parameters<ReturnType<typeof init>["setOption"]>[0];

function drawn({ title, bars }: Chart, height: number, option: (width: number) => Option): Html {
  if (bars.length === 0) return html`<p class="soft">Nothing to show yet.</p>`;
  const pictures = Object.entries(WIDTHS).map(([name, width]) => {
    const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
    chart.setOption({ animation: false, ...option(width) });
    const svg = chart.renderToSVGString();
    chart.dispose();
    // Its only style rules are for a mouse.
    return html`<div class="${name}" role="img" aria-label="${title}">${new Html(svg.replace(/<style >[^]*<\/style>/, ""))}</div>`;
  });
  return html`${pictures}`;
}
