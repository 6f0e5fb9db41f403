/** The part of docs/troubleshooting.md that infra/faults.ts says: `node test/support/fault-page.ts` writes it between its markers. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faultTable } from "../../infra/faults.ts";
import { CHECKOUT } from "./checkout.ts";

const PAGE = join(CHECKOUT, "docs/troubleshooting.md");
const MARKED = /(<!-- codes -->\n)([^]*)(<!-- end -->)/;

/** By the first word of a code. */
const TITLES: Readonly<Record<string, string>> = {
  AWS: "Stacks on AWS",
  BOOTSTRAP: "Setting up a machine",
  BUILDER: "Builders",
  CACHE: "The binary cache",
  CI: "Workflows",
  CONFIG: "A stack's configuration",
  GRAPH: "The layer graph",
  HOST: "Hosts",
  IMAGE: "Published images",
  LAYER: "Building a layer",
  LOCK: "Locks",
  OPS: "Operators' commands",
  PLUGIN: "Pulumi's plugins",
  PREFETCH: "Fetching what is locked",
  PROMOTE: "Promoting an image, and taking it back",
  PUBLISH: "Publishing the image",
  RECOVER: "After a crash",
  REQUEST: "Scripts of another revision",
  RUN: "Running the container",
  SETUP: "Set-up",
  VERIFY: "Verifying the published image",
};

export function faultPage(): string {
  const codes = Object.entries(faultTable).sort(([a], [b]) => (a < b ? -1 : 1));
  const prefixes = [...new Set(codes.map(([code]) => prefixOf(code)))];
  return prefixes.map((prefix) => section(prefix, codes.filter(([code]) => prefixOf(code) === prefix))).join("\n");
}

/** The same part, as the page has it. */
export function shownFaultPage(): string {
  return MARKED.exec(readFileSync(PAGE, "utf8"))?.[2] ?? "";
}

function prefixOf(code: string): string {
  return code.slice(0, code.indexOf("_"));
}

function section(prefix: string, codes: readonly (readonly [string, { readonly cause: string; readonly cure: string }])[]): string {
  const title = TITLES[prefix];
  if (title === undefined) throw new Error(`${import.meta.filename} has no title for the codes that begin with ${prefix}`);
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = codes.map(([code, { cause, cure }]) => `| \`${code}\` | ${cell(cause)} | ${cell(cure)} |\n`);
  return `### ${title}\n\n| code | cause | cure |\n|--|--|--|\n${rows.join("")}`;
}

if (import.meta.main) writeFileSync(PAGE, readFileSync(PAGE, "utf8").replace(MARKED, (_whole, begin: string, _old, end: string) => `${begin}${faultPage()}${end}`));
