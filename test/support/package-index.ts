/** A small package index on loopback that speaks the JSON simple API (PEP 691), and which a test can fill, change and break. */
import { hash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { makeWheel, type WheelSpec } from "./wheel.ts";

interface Offer {
  readonly file: string;
  readonly bytes: Buffer;
  /** Stated beside the file (PEP 658), so that a resolver need not download it. */
  readonly metadata?: string;
  /** Whether the index states hash and size. */
  stated: boolean;
  yanked: false | string;
  /** A hash stated in place of the right one. */
  lie?: string;
}

export type Mood = "well" | "busy" | "html" | "cut off";

export class PackageIndex implements AsyncDisposable {
  /** What to set UV_DEFAULT_INDEX to. */
  readonly url: string;
  readonly requests: string[] = [];
  mood: Mood = "well";
  /** USER:PASSWORD that every request has to bring. */
  login: string | undefined;
  readonly #server: Server;
  #offers = new Map<string, Offer[]>();
  #kept: ReadonlyMap<string, readonly Offer[]> = new Map();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
  }

  static async create(): Promise<PackageIndex> {
    let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
    const server = createServer((request, response) => answer(request, response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const index = new PackageIndex(server);
    answer = (request, response) => index.#answer(request, response);
    return index;
  }

  /** Offers a wheel. Answers its file name. */
  wheel(spec: WheelSpec, more: { readonly stated?: boolean } = {}): string {
    const { file, bytes, metadata } = makeWheel(spec);
    this.#offer(spec.name, { file, bytes, metadata, stated: more.stated ?? true, yanked: false });
    return file;
  }

  /** Offers a file that somebody else has made; `metadata` of a wheel. */
  file(name: string, file: string, bytes: Buffer, metadata?: string): void {
    this.#offer(name, { file, bytes, stated: true, yanked: false, ...(metadata !== undefined && { metadata }) });
  }

  /** Offers a source archive that nobody opens. */
  source(name: string, version: string): string {
    const file = `${name.replaceAll("-", "_")}-${version}.tar.gz`;
    this.#offer(name, { file, bytes: Buffer.from(`${name} ${version}`), stated: true, yanked: false });
    return file;
  }

  yank(file: string, reason: string): void {
    this.#find(file).yanked = reason;
  }

  /** From now on the index states a hash that is not the file's. */
  lie(file: string): void {
    this.#find(file).lie = "0".repeat(64);
  }

  /** Remembers what is offered now, for `restore`. */
  keep(): void {
    this.#kept = new Map([...this.#offers].map(([name, offers]) => [name, offers.map((offer) => ({ ...offer }))]));
  }

  /** As it was when it was kept, and well. */
  restore(): void {
    this.#offers = new Map([...this.#kept].map(([name, offers]) => [name, offers.map((offer) => ({ ...offer }))]));
    this.mood = "well";
    this.login = undefined;
  }

  /** The SRI hash of a file's bytes. */
  sri(file: string): string {
    return `sha256-${hash("sha256", this.#find(file).bytes, "base64")}`;
  }

  size(file: string): number {
    return this.#find(file).bytes.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #offer(name: string, offer: Offer): void {
    this.#offers.set(name, [...(this.#offers.get(name) ?? []), offer]);
  }

  #find(file: string): Offer {
    const found = [...this.#offers.values()].flat().find((offer) => offer.file === file);
    if (found === undefined) throw new Error(`the index offers no ${file}`);
    return found;
  }

  #answer({ url = "", headers }: IncomingMessage, response: ServerResponse): void {
    this.requests.push(url);
    const login = this.login === undefined ? undefined : `Basic ${Buffer.from(this.login).toString("base64")}`;
    if (login !== undefined && headers.authorization !== login) return void response.writeHead(401, { "www-authenticate": "Basic" }).end();
    const [, kind, name = ""] = url.split("/");
    if (this.mood === "busy") return void response.writeHead(503).end();
    const offers = this.#offers.get(name);
    if (kind === "simple" && offers !== undefined) return this.#page(name, offers, response);
    const wanted = decodeURIComponent(name);
    const offer = [...this.#offers.values()].flat().find(({ file }) => kind === "files" && (wanted === file || wanted === `${file}.metadata`));
    if (offer === undefined) return void response.writeHead(404).end();
    if (wanted !== offer.file) return void response.writeHead(200, { "content-type": "text/plain" }).end(offer.metadata);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": offer.bytes.length });
    if (this.mood === "cut off") response.write(offer.bytes.subarray(0, 10), () => response.destroy());
    else response.end(offer.bytes);
  }

  #page(name: string, offers: readonly Offer[], response: ServerResponse): void {
    const type = this.mood === "html" ? "text/html" : "application/vnd.pypi.simple.v1+json";
    const files = offers.map(({ file, bytes, metadata, stated, yanked, lie }) => ({
      filename: file,
      url: `../../files/${encodeURIComponent(file)}`,
      hashes: stated ? { sha256: lie ?? hash("sha256", bytes) } : {},
      ...(stated && { size: bytes.length }),
      "core-metadata": metadata === undefined ? false : { sha256: hash("sha256", metadata) },
      yanked,
    }));
    // uv keeps what it read; a test wants what is there now.
    response.writeHead(200, { "content-type": type, "cache-control": "no-store" });
    response.end(this.mood === "html" ? "<!DOCTYPE html><html></html>" : JSON.stringify({ meta: { "api-version": "1.1" }, name, files, versions: [] }));
  }
}
