/**
 * A change of the key that signs a cache, in steps between which everyone who reads it is content: the new key is trusted before
 * anything is signed by it alone, and the old one until nothing is signed by it alone.
 */

export const keySteps = ["start", "switch", "sign", "finish"] as const;

export type KeyStep = (typeof keySteps)[number];

export interface KeyState {
  /** Public half of the key that is to come. */
  readonly next: string | undefined;
  /** Public half of the key that signs what is pushed. */
  readonly current: string;
  /** Public keys that readers trust besides. */
  readonly trusted: readonly string[];
  /** The hosts know it so: the last `up` had these keys. */
  readonly applied: boolean;
  /** Paths that the current key did not sign, and one of the trusted ones did. */
  readonly unsigned: number;
}

/** What comes next; `up`: a `pulumi up` before that. None: no change is under way. */
export function nextKeyStep({ next, trusted, applied, unsigned }: KeyState): { readonly step: KeyStep; readonly up: boolean } | undefined {
  if (next !== undefined) return trusted.includes(next) ? { step: "switch", up: !applied } : { step: "start", up: false };
  if (trusted.length === 0) return undefined;
  return { step: unsigned > 0 ? "sign" : "finish", up: !applied };
}

/** The keys of a configuration after the step. */
export function keysAfter(step: Exclude<KeyStep, "sign">, { next, current, trusted }: Pick<KeyState, "next" | "current" | "trusted">): Pick<KeyState, "next" | "current" | "trusted"> {
  if (step === "finish") return { next, current, trusted: [] };
  if (next === undefined) throw new Error(`there is no key to ${step} with`);
  if (step === "start") return { next, current, trusted: [...new Set([...trusted, next])] };
  return { next: undefined, current: next, trusted: [...trusted.filter((key) => key !== next), current] };
}

/** A key's name with a number that is one higher: team-1 becomes team-2. */
export function nextKeyName(publicKey: string): string {
  const [name = ""] = publicKey.split(":");
  const [, stem = name, number = "1"] = /^(.*?)-?(\d+)$/.exec(name) ?? [];
  return `${stem}-${Number(number) + 1}`;
}
