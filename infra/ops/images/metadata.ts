/** The headers of a Python package's METADATA (packaging.python.org, "Core metadata specifications"). */
import { normalizeName, parseRequirement } from "../../lock/requirement.ts";

export interface PackageMetadata {
  /** Normalized. */
  readonly name: string;
  readonly version: string;
  readonly summary: string | undefined;
  readonly homepage: string | undefined;
  /** SPDX expressions or names; several: each of them holds. */
  readonly licenses: readonly string[];
  /** Normalized names of what it requires, without what only an extra requires. */
  readonly requires: readonly string[];
}

/** Undefined where it has no name or version. */
export function parseMetadata(text: string): PackageMetadata | undefined {
  const fields = headers(text);
  const [name, version] = [fields("Name")[0], fields("Version")[0]];
  if (name === undefined || version === undefined) return undefined;
  return { name: normalizeName(name), version, summary: fields("Summary")[0], homepage: homepageOf(fields), licenses: licensesOf(fields), requires: requiresOf(fields("Requires-Dist")) };
}

type Fields = (name: string) => string[];

/** Values by the header's name, in order; a line that begins with a space belongs to the one before. */
function headers(text: string): Fields {
  const all: [name: string, value: string][] = [];
  for (const line of text.split(/\r?\n/)) {
    const last = all.at(-1);
    if (line === "") break;
    if (/^\s/.test(line)) {
      if (last !== undefined) last[1] += `\n${line.trim()}`;
      continue;
    }
    const colon = line.indexOf(":");
    if (colon > 0) all.push([line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return (name) => all.filter(([each, value]) => each === name.toLowerCase() && value !== "" && value !== "UNKNOWN").map(([, value]) => value);
}

function homepageOf(fields: Fields): string | undefined {
  const labelled = fields("Project-URL").map((value) => value.split(/,\s*/, 2) as [string, string?]);
  const found = fields("Home-page")[0] ?? labelled.find(([label]) => /^home-?page$/i.test(label))?.[1] ?? labelled.find(([label]) => /^(source|repository)/i.test(label))?.[1];
  return found !== undefined && URL.canParse(found) ? found : undefined;
}

/** License-Expression replaces License, in which some write the whole text; the classifiers then say which it is. */
function licensesOf(fields: Fields): string[] {
  const [expression] = fields("License-Expression");
  if (expression !== undefined) return [expression];
  const [license] = fields("License");
  if (license !== undefined && license.length <= 100 && !license.includes("\n")) return [license];
  return fields("Classifier").filter((each) => each.startsWith("License ::")).map((each) => each.split("::").at(-1)?.trim() as string);
}

function requiresOf(texts: readonly string[]): string[] {
  // `NAME @ URL` is a requirement too, whose version an address says.
  const found = texts.flatMap((text) => parseRequirement(text.replace(/\s*@\s*[^\s;]+/, "")) ?? []);
  return [...new Set(found.filter(({ marker }) => !/\bextra\b/.test(marker)).map(({ name }) => name))].sort();
}
