/** Plain HTTP servers on loopback, such as sources are downloaded from. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

interface Served {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** One text at the root, in parts where asked; `cut`: so many answers break off after seven more bytes. */
export async function fileServer(text: string, { cut = 0 }: { readonly cut?: number }): Promise<Served & { readonly text: string; readonly ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  const served = await serve((request, response) => {
    if (request.url !== "/") return void response.writeHead(404).end();
    ranges.push(request.headers.range);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = text.slice(from);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": rest.length, ...(from > 0 && { "content-range": `bytes ${from}-${text.length - 1}/${text.length}` }) });
    if (ranges.length > cut) response.end(rest);
    else response.write(rest.slice(0, 7), () => response.destroy());
  });
  return { ...served, text, ranges };
}

/** The files of a folder as they are. */
export function folderServer(folder: string): Promise<Served> {
  return serve((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    try {
      response.end(readFileSync(join(folder, path)));
    } catch {
      response.writeHead(404).end();
    }
  });
}
