/** Random numbers that are the same for the same seed, on every machine (splitmix32 over a hash of the seed). */
import { createHash } from "node:crypto";

export class Random {
  #state: number;

  constructor(seed: string) {
    this.#state = createHash("sha256").update(seed).digest().readUInt32LE(0);
  }

  /** The next 32 bits. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    if (!(limit >= 1)) throw new Error(`nothing to choose from: below(${limit})`);
    return Math.floor((this.bits() / 2 ** 32) * limit);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.bits() / 2 ** 32 < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let end = copy.length - 1; end > 0; end--) {
      const other = this.below(end + 1);
      [copy[end], copy[other]] = [copy[other] as T, copy[end] as T];
    }
    return copy;
  }

  /** Eight hexadecimal digits, for names and contents. */
  word(): string {
    return this.bits().toString(16).padStart(8, "0");
  }
}

/** The seed of this run: COMFYUI_TEST_SEED, or the one given; to be printed, so that a failing run can be repeated. */
export function testSeed(fallback: string): string {
  return process.env.COMFYUI_TEST_SEED ?? fallback;
}
