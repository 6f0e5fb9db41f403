/** Versions of Python distributions, and what bounds say of them (packaging.python.org, "Version specifiers"). */
import { compare, satisfies as within, valid, validRange } from "@renovatebot/pep440";

export function isVersion(text: string): boolean {
  return valid(text) !== null;
}

export function sameVersion(a: string, b: string): boolean {
  return isVersion(a) && isVersion(b) ? compare(a, b) === 0 : a === b;
}

/** Whether a version lies within bounds such as `>=1.2,<2`; a pre-release may. Throws on bounds that are not of this form. */
export function satisfies(version: string, bounds: string): boolean {
  if (!validRange(bounds)) throw new SyntaxError(`not a version bound: ${bounds}`);
  return within(version, bounds, { prereleases: true });
}
