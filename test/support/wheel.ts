/** Makes small wheels: real zip archives with the metadata that installers and resolvers read. */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";

export interface WheelSpec {
  readonly name: string;
  readonly version: string;
  /** PYTHON-ABI-PLATFORM; default: py3-none-any. */
  readonly tags?: string;
  readonly requires?: readonly string[];
  /** Extra requirements by the extra's name. */
  readonly extras?: Readonly<Record<string, readonly string[]>>;
  /** Name of a command that prints the package's name and version; default: none. */
  readonly command?: string;
}

export interface Wheel {
  readonly file: string;
  readonly bytes: Buffer;
  readonly metadata: string;
}

export function makeWheel({ name, version, tags = "py3-none-any", requires = [], extras = {}, command }: WheelSpec): Wheel {
  const module = name.replaceAll("-", "_");
  const stem = `${module}-${version}`;
  const info = `${stem}.dist-info`;
  const metadata = [
    "Metadata-Version: 2.1", `Name: ${name}`, `Version: ${version}`,
    ...requires.map((each) => `Requires-Dist: ${each}`),
    ...Object.entries(extras).flatMap(([extra, more]) => [`Provides-Extra: ${extra}`, ...more.map((each) => `Requires-Dist: ${each}; extra == "${extra}"`)]), "",
  ].join("\n");
  const files: [string, string][] = [
    [`${module}/__init__.py`, `version = "${version}"\n${command ? `def main(): print("${name}", version)\n` : ""}`],
    [`${info}/METADATA`, metadata],
    [`${info}/WHEEL`, `Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: ${tags}\n`],
    ...(command ? [[`${info}/entry_points.txt`, `[console_scripts]\n${command} = ${module}:main\n`] as [string, string]] : []),
  ];
  const record = [...files.map(([path, text]) => `${path},sha256=${hash("sha256", text, "base64url")},${text.length}`), `${info}/RECORD,,`, ""].join("\n");
  return { file: `${stem}-${tags}.whl`, bytes: zip([...files, [`${info}/RECORD`, record]]), metadata };
}

/** A zip archive of stored files (APPNOTE.TXT 4.3): local headers with the bytes, the directory, its end. */
export function zip(files: readonly (readonly [string, string])[]): Buffer {
  const [locals, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [path, text] of files) {
    const [name, bytes] = [Buffer.from(path), Buffer.from(text)];
    const header = Buffer.alloc(26);
    // Version 2.0, no flags, stored, 1980-01-01.
    header.writeUInt16LE(20, 0);
    header.writeUInt16LE(0x21, 8);
    header.writeUInt32LE(crc32(bytes), 10);
    header.writeUInt32LE(bytes.length, 14);
    header.writeUInt32LE(bytes.length, 18);
    header.writeUInt16LE(name.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((0o100644 << 16) >>> 0, 6);
    tail.writeUInt32LE(at, 10);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), header, name, bytes]);
    directory.push(Buffer.concat([Buffer.from("PK\u0001\u0002\u0014\u0003"), header, tail, name]));
    locals.push(local);
    at += local.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(size, 8);
  end.writeUInt32LE(at, 12);
  return Buffer.concat([...locals, ...directory, Buffer.from("PK\u0005\u0006"), end]);
}
