/** A page of a report in a browser, and what must hold of every such page. */
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";

export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Addresses that it asked for, itself first. */
  readonly requests: readonly string[];
  /** What it wrote to the console, and errors. */
  readonly said: readonly string[];
}

export async function openPage(browser: Browser, url: string, { width, scheme }: { width: number; scheme: "light" | "dark" }): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme });
  const page = await context.newPage();
  const [requests, said] = [[] as string[], [] as string[]];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(url);
  return { page, requests, said, [Symbol.asyncDispose]: () => context.close() };
}

/** It is whole by itself, and fits; also with everything that can be opened open. */
export async function assertGoodPage({ page, requests, said }: OpenedPage): Promise<void> {
  const overflow = () => page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
  assert.ok((await overflow()) <= 0);
  await openAll(page);
  assert.ok((await overflow()) <= 0, "with everything open");
  assert.deepEqual(requests, [page.url()]);
  assert.deepEqual(said, []);
}

/** Opens everything that can be opened. */
export async function openAll(page: Page): Promise<void> {
  await page.evaluate('document.querySelectorAll("details").forEach((each) => { each.open = true; })');
}

/** Texts of charts that leave their drawing. */
export function clippedTexts(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[...document.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 0).flatMap((svg) => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      return left < frame.left - 1 || right > frame.right + 1 || top < frame.top - 1 || bottom > frame.bottom + 1;
    }).map((text) => text.textContent);
  })`);
}

/** Texts whose contrast with the page is below 4.5 to 1, which WCAG asks for. */
export function paleTexts(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const linear = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const light = (colour) => {
      const [red, green, blue] = colour.match(/[0-9.]+/g).slice(0, 3).map((each) => linear(Number(each) / 255));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll("h1, h2, p, dt, dd, td, th, summary, summary span, caption, figcaption, li, code, svg text, .bad")].filter((each) => {
      const style = getComputedStyle(each);
      const ink = light(each instanceof SVGElement ? style.fill : style.color);
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05) < 4.5;
    }).map((each) => each.tagName + " " + each.textContent.slice(0, 40));
  })()`);
}
