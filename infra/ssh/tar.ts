/** One file of an archive. `path` is relative, with slashes. */
export interface TarEntry {
  readonly path: string;
  readonly executable: boolean;
  readonly content: Uint8Array;
}

const BLOCK = 512;

/**
 * A tar (POSIX ustar) of these files: equal files give equal bytes, whatever their owners, times and order; of the modes only
 * the executable bit is kept. Throws for a path that the form cannot hold (over 100 bytes after its last fitting slash).
 */
export function tar(entries: readonly TarEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  return Buffer.concat([...sorted.flatMap((entry) => [header(entry), padded(entry.content)]), Buffer.alloc(2 * BLOCK)]);
}

function padded(content: Uint8Array): Buffer {
  const block = Buffer.alloc(Math.ceil(content.length / BLOCK) * BLOCK);
  block.set(content);
  return block;
}

function header({ path, executable, content }: TarEntry): Buffer {
  const { prefix, name } = split(path);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number) => block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  block.write(name, 0, "utf8");
  octal(executable ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8); // owner
  octal(0, 116, 8); // group
  octal(content.length, 124, 12);
  octal(0, 136, 12); // time of change
  block.write("0", 156, "latin1"); // a regular file
  block.write("ustar\u000000", 257, "latin1");
  block.write(prefix, 345, "utf8");
  // The sum of the header's bytes, with spaces in place of the sum itself.
  const sum = block.reduce((total, byte) => total + byte, 0) + 8 * 0x20;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function split(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: "", name: path };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return { prefix, name };
  }
  throw new Error(`the path is too long for a tar: ${path}`);
}
