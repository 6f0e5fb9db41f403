/** Shows how long work goes on: a bar that is redrawn on a terminal, plain lines elsewhere. */
export interface Step {
  advance(bytes: number): void;
  end(): void;
}

export interface Progress {
  /** One line. */
  say(text: string): void;
  /** `total` in bytes, where it is known. */
  begin(title: string, total?: number): Step;
}

const width = 24;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** What stands behind a title: a bar where the total is known, else how much has come. */
export function progressText(done: number, total: number | undefined): string {
  if (total === undefined) return megabytes(done);
  const filled = Math.min(width, Math.round((done / total) * width));
  return `[${"#".repeat(filled)}${".".repeat(width - filled)}] ${megabytes(done)} of ${megabytes(total)}`;
}

export function progressOn(stream: NodeJS.WriteStream): Progress {
  const say = (text: string) => void stream.write(`${text}\n`);
  return {
    say,
    begin(title, total) {
      let [done, drawn] = [0, 0];
      if (!stream.isTTY) say(`${title}${total === undefined ? "" : `, ${megabytes(total)}`}`);
      const draw = () => stream.isTTY && stream.write(`\r\u001b[K${title} ${progressText(done, total)}`);
      return {
        advance(bytes) {
          done += bytes;
          // Ten times a second is enough for eyes.
          if (Date.now() - drawn < 100) return;
          drawn = Date.now();
          draw();
        },
        end() {
          draw();
          if (stream.isTTY) say("");
        },
      };
    },
  };
}
