/**
 * The protocol of Nix's binary caches over the store of this machine, for tests where no real cache server is to be had. Archives
 * are `nix-store --dump`'s, uncompressed; signatures are those that the paths have.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Find, type PathInfo, STORE } from "./stores.ts";

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly find: Find;
  /** In nix-cache-info: a cache with a lower number is asked first. */
  readonly priority: number;
  /** How many requests are worked on at a time; the others wait. */
  readonly atOnce: number;
  /** Whether a connection serves more than one request. */
  readonly keepAlive: boolean;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly length: number;
  readonly body: string | (() => AsyncIterable<Buffer>);
}

function text(status: number, type: string, body: string): Answer {
  return { status, type, length: Buffer.byteLength(body), body };
}

const missing = text(404, "text/plain", "No such path.\n");

function narInfo(hashPart: string, info: PathInfo): Answer {
  const lines = [
    ["StorePath", info.path],
    ["URL", `nar/${hashPart}-${info.narHash}.nar`],
    ["Compression", "none"],
    ["NarHash", `sha256:${info.narHash}`],
    ["NarSize", `${info.narSize}`],
    ["References", info.references.map((each) => basename(each)).join(" ")],
    ...(info.deriver === undefined ? [] : [["Deriver", basename(info.deriver)]]),
    ...info.signatures.map((signature) => ["Sig", signature]),
    ...(info.ca === undefined ? [] : [["CA", info.ca]]),
  ];
  return text(200, "text/x-nix-narinfo", lines.map(([key, value]) => `${key}: ${value}\n`).join(""));
}

/** A path's archive as it is made; throws where it has another size than it should have. */
async function* dump({ path, narSize }: PathInfo): AsyncIterable<Buffer> {
  const { stdout } = spawn("nix-store", ["--dump", path], { stdio: ["ignore", "pipe", "inherit"] });
  let sent = 0;
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    sent += chunk.length;
    yield chunk;
    // A reader goes when it has all; that is to be the end, and not a connection that breaks.
    if (sent === narSize) return;
  }
  throw new Error(`${path}: ${sent} bytes instead of ${narSize}`);
}

async function answer(url: string, { find, priority }: ServeOptions): Promise<Answer> {
  if (url === "/nix-cache-info") return text(200, "text/x-nix-cache-info", `StoreDir: ${STORE}\nWantMassQuery: 1\nPriority: ${priority}\n`);
  const [, hashPart, narHash] = /^\/([0-9a-z]{32})\.narinfo$/.exec(url) ?? /^\/nar\/([0-9a-z]{32})-([0-9a-z]{52})\.nar$/.exec(url) ?? [];
  const info = hashPart === undefined ? undefined : await find(hashPart);
  if (hashPart === undefined || info === undefined) return missing;
  if (narHash === undefined) return narInfo(hashPart, info);
  return narHash === info.narHash ? { status: 200, type: "application/x-nix-archive", length: info.narSize, body: () => dump(info) } : missing;
}

async function respond(request: IncomingMessage, response: ServerResponse, options: ServeOptions): Promise<void> {
  response.shouldKeepAlive &&= options.keepAlive;
  try {
    const reading = request.method === "GET" || request.method === "HEAD";
    const { status, type, length, body } = reading ? await answer(request.url ?? "", options) : text(405, "text/plain", "Only GET and HEAD.\n");
    response.writeHead(status, { "content-type": type, "content-length": length });
    if (request.method === "HEAD") response.end();
    else if (typeof body === "string") response.end(body);
    else await pipeline(body, response);
  } catch (error) {
    process.stderr.write(`${request.method} ${request.url}: ${error}\n`);
    // What is cut off must not look complete.
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end();
  }
}

/** At most `limit` pieces of work at a time; the others wait in their order. */
function limited(limit: number): (work: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running < limit) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    await work();
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };
}

/** Serves until it is killed. */
export async function serve(options: ServeOptions): Promise<void> {
  const inTurn = limited(options.atOnce);
  const server = createServer((request, response) => void inTurn(() => respond(request, response, options)));
  await once(server.listen(options.port, options.host), "listening");
  process.stderr.write(`stand-in of a cache server, listening on ${options.host}:${options.port}\n`);
}
