/**
 * Versions of Python distributions, and what bounds say about them, as the version specifiers of the packaging standards
 * define them (packaging.python.org, "Version specifiers"; PEP 440). Only what checks and choices need: `uv` resolves.
 */

interface Version {
  /** Release numbers without the zeros at their end: 1.0 and 1 are one version. */
  readonly release: readonly number[];
  /** Everything else in one comparable row: epoch first, then (behind the release) pre, post, dev; local as text. */
  readonly epoch: number;
  readonly rest: readonly number[];
  readonly local: readonly (number | string)[];
}

const pattern =
  /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?:[-_.]?(?<pre>alpha|beta|preview|pre|a|b|c|rc)[-_.]?(?<preNumber>\d*))?(?:-(?<postOnly>\d+)|[-_.]?(?<post>post|rev|r)[-_.]?(?<postNumber>\d*))?(?:[-_.]?(?<dev>dev)[-_.]?(?<devNumber>\d*))?(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;
const preKinds: Readonly<Record<string, number>> = { a: 0, alpha: 0, b: 1, beta: 1, c: 2, rc: 2, pre: 2, preview: 2 };
const last = Number.POSITIVE_INFINITY;

/** The parts of a version, or nothing where the text is none. */
function parse(text: string): Version | undefined {
  const found = pattern.exec(text.trim())?.groups;
  if (found === undefined) return undefined;
  const number = (part: string | undefined) => (part === undefined || part === "" ? 0 : Number(part));
  const release = (found["release"] as string).split(".").map(Number);
  while (release.length > 1 && release.at(-1) === 0) release.pop();
  const [isPre, isPost, isDev] = [found["pre"] !== undefined, found["post"] !== undefined || found["postOnly"] !== undefined, found["dev"] !== undefined];
  // A release stands above its pre-releases; a development release of it stands below them.
  const pre = isPre ? [preKinds[(found["pre"] as string).toLowerCase()] as number, number(found["preNumber"])] : [isDev && !isPost ? -1 : last, 0];
  const post = isPost ? number(found["postOnly"] ?? found["postNumber"]) : -1;
  const dev = isDev ? number(found["devNumber"]) : last;
  const local = (found["local"] ?? "").toLowerCase().split(/[-_.]/).filter(Boolean).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return { epoch: number(found["epoch"]), release, rest: [...pre, post, dev], local };
}

export function isVersion(text: string): boolean {
  return parse(text) !== undefined;
}

function compareRows(a: readonly number[], b: readonly number[]): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const [left, right] = [a[at] ?? 0, b[at] ?? 0];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}

/** Local parts: numbers stand above words, more parts above fewer. */
function compareLocals(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [left, right] = [a[at] as number | string, b[at] as number | string];
    if (left === right) continue;
    if (typeof left !== typeof right) return typeof left === "number" ? 1 : -1;
    return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

/** Negative where `a` is older, 0 where both are the same version (1.0 and 1.0.0). Text that is no version compares as text. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  if (left === undefined || right === undefined) return a === b ? 0 : a < b ? -1 : 1;
  return left.epoch - right.epoch || compareRows(left.release, right.release) || compareRows(left.rest, right.rest) || compareLocals(left.local, right.local);
}

export const sameVersion = (a: string, b: string): boolean => compareVersions(a, b) === 0;

const clauses = /\s*(~=|===|==|!=|<=|>=|<|>)\s*([^\s,]+)\s*/;

/** Whether a version lies within bounds such as `>=1.2,<2`. Throws on bounds that are not of this form. */
export function satisfies(version: string, bounds: string): boolean {
  return bounds.split(",").filter((clause) => clause.trim() !== "").every((clause) => {
    const [, operator, wanted] = new RegExp(`^${clauses.source}$`).exec(clause) ?? [];
    if (operator === undefined || wanted === undefined) throw new SyntaxError(`not a version bound: ${clause.trim()}`);
    return (operators[operator] as (version: string, wanted: string) => boolean)(version, wanted);
  });
}

/** The version without what a bound does not name: its local part. */
const publicPart = (version: string): string => version.split("+")[0] as string;
const compareToBound = (version: string, wanted: string): number => compareVersions(wanted.includes("+") ? version : publicPart(version), wanted);

function equal(version: string, wanted: string): boolean {
  if (!wanted.endsWith(".*")) return compareToBound(version, wanted) === 0;
  return isBelow(version, wanted.slice(0, -2));
}

/** Whether a version is one of a series: 1.4.2 of 1.4. */
function isBelow(version: string, series: string): boolean {
  const [found, head] = [parse(publicPart(version)), series.replace(/^v/i, "").split("!").at(-1)?.split(".").map(Number)];
  const epoch = series.includes("!") ? Number(series.split("!")[0]) : 0;
  return found !== undefined && head !== undefined && found.epoch === epoch && head.every((part, at) => part === (found.release[at] ?? 0));
}

const base = (version: string): string => publicPart(version).replace(/[-_.]?(a|b|c|rc|alpha|beta|pre|preview|post|rev|r|dev)[-_.]?\d*/gi, "").replace(/-\d+$/, "");

const operators: Readonly<Record<string, (version: string, wanted: string) => boolean>> = {
  "===": (version, wanted) => version === wanted,
  "==": equal,
  "!=": (version, wanted) => !equal(version, wanted),
  "<=": (version, wanted) => compareToBound(version, wanted) <= 0,
  ">=": (version, wanted) => compareToBound(version, wanted) >= 0,
  // Below 2 is no pre-release of 2, above 2 no post-release of 2.
  "<": (version, wanted) => compareToBound(version, wanted) < 0 && (base(wanted) !== publicPart(wanted) || compareVersions(base(version), base(wanted)) !== 0),
  ">": (version, wanted) => compareToBound(version, wanted) > 0 && (base(wanted) !== publicPart(wanted) || compareVersions(base(version), base(wanted)) !== 0),
  "~=": (version, wanted) => compareToBound(version, wanted) >= 0 && isBelow(version, base(wanted).split(".").slice(0, -1).join(".")),
};
