/** Lines to show while a command runs. */

/** Characters of a line that are shown: a line may be a whole file, or never end. */
const LONGEST = 2000;

/**
 * Cuts a text that comes in pieces into lines. A bare carriage return ends one too: that is how progress bars write. A longer
 * line than is shown comes as soon as it is that long, and its rest is left out.
 */
export class Lines {
  #line = "";
  #cut = false;
  /** The last piece ended with a carriage return: a line feed after it belongs to it. */
  #returned = false;

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
    if (this.#line.length <= LONGEST) return [];
    this.#cut = true;
    return [`${this.#line.slice(0, LONGEST)}…`];
  }

  #finish(): string[] {
    const line = this.#cut ? [] : [this.#line];
    this.#line = "";
    this.#cut = false;
    return line;
  }
}
