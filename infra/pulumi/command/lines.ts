/** Lines to show while a command runs. */
import type { Hide } from "./secrets.ts";

/** Characters of a line that are shown: a line may be a whole file, or never end. */
const LONGEST = 2000;

/**
 * Cuts a text that comes in pieces into lines. A bare carriage return ends one too: that is how progress bars write. A line that
 * is twice as long as what is shown of one comes before its end, and its rest is left out.
 */
export class Lines {
  #line = "";
  #cut = false;
  /** The last piece ended with a carriage return: a line feed after it belongs to it. */
  #returned = false;
  readonly #hide: Hide;

  constructor(hide: Hide) {
    this.#hide = hide;
  }

  push(piece: string): string[] {
    const text = this.#returned && piece.startsWith("\n") ? piece.slice(1) : piece;
    if (piece !== "") this.#returned = piece.endsWith("\r");
    const [rest = "", ...after] = text.split(/\r\n|\n|\r/);
    const lines = this.#grow(rest);
    for (const next of after) lines.push(...this.#finish(), ...this.#grow(next));
    return lines;
  }

  /** A last line without an end. */
  end(): string[] {
    return this.#line === "" ? [] : this.#finish();
  }

  #grow(text: string): string[] {
    if (this.#cut) return [];
    this.#line += text;
    // Long enough to hold a secret whole that begins in what is shown.
    if (this.#line.length <= 2 * LONGEST) return [];
    this.#cut = true;
    return [this.#shown()];
  }

  #finish(): string[] {
    const line = this.#cut ? [] : [this.#shown()];
    this.#line = "";
    this.#cut = false;
    return line;
  }

  #shown(): string {
    const text = this.#hide(this.#line);
    return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  }
}
