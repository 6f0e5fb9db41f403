/** What a command writes: all of it for the state, its lines for who watches, its end for an error. */
import { Lines } from "./lines.ts";
import type { Hide } from "./secrets.ts";

export type Stream = "stdout" | "stderr";
export type Logging = "stdout" | "stderr" | "stdoutAndStderr" | "none";

/** Which streams are shown. */
const SHOWN: Readonly<Record<Logging, readonly Stream[]>> = { stdout: ["stdout"], stderr: ["stderr"], stdoutAndStderr: ["stdout", "stderr"], none: [] };

/** Bytes of output that an error quotes: it travels in a header, which has a limit. The whole is too long to read in any case. */
const QUOTED = 12 * 1024;

export interface OutputOptions {
  readonly logging: Logging;
  /** What is no part of a line or of an error. */
  readonly hide: Hide;
  readonly line: (text: string) => Promise<void>;
}

/** The output of one run. */
export class Output {
  readonly #written: Record<Stream, Buffer[]> = { stdout: [], stderr: [] };
  /** Both streams, in the order in which they came. */
  #end: Buffer[] = [];
  readonly #options: OutputOptions;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Reads a stream to its end; not faster than its lines are taken. */
  async read(name: Stream, stream: AsyncIterable<Buffer>): Promise<void> {
    const shown = SHOWN[this.#options.logging].includes(name);
    const [lines, decoder] = [new Lines(this.#options.hide), new TextDecoder()];
    for await (const piece of stream) {
      this.#written[name].push(piece);
      this.#keepEnd(piece);
      if (shown) await this.#show(lines.push(decoder.decode(piece, { stream: true })));
    }
    if (shown) await this.#show([...lines.push(decoder.decode()), ...lines.end()]);
  }

  /** What goes into the state: without the line feed at its end. */
  text(name: Stream): string {
    return Buffer.concat(this.#written[name]).toString("utf8").replace(/\n$/, "");
  }

  /** The end of both streams. */
  end(): string {
    const kept = Buffer.from(this.#options.hide(Buffer.concat(this.#end).toString("utf8")));
    const text = kept.subarray(-QUOTED).toString("utf8");
    return kept.length > QUOTED ? `… (more before this)\n${text}` : text;
  }

  #keepEnd(piece: Buffer): void {
    this.#end.push(piece);
    const length = this.#end.reduce((sum, each) => sum + each.length, 0);
    // Long enough to hold a secret whole that ends in what is quoted.
    if (length > QUOTED * 4) this.#end = [Buffer.concat(this.#end).subarray(-QUOTED * 2)];
  }

  async #show(lines: readonly string[]): Promise<void> {
    for (const line of lines) await this.#options.line(line);
  }
}
