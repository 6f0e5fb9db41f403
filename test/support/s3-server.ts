/** As much of S3 as Nix asks of a bucket: objects by key, in memory. Who may do what is not checked. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface S3Server extends AsyncDisposable {
  /** The bucket's address as Nix's own store for S3 has it. */
  readonly url: string;
  /** And as a cache that any Nix reads. */
  readonly readUrl: string;
  readonly objects: ReadonlyMap<string, Buffer>;
  /** Whether it refuses what is to be written, as one for which a right was taken away. */
  readOnly: boolean;
  /** Nobody answers there any more, and again somebody. */
  down(): Promise<void>;
  resume(): Promise<void>;
}

export async function startS3(bucket: string): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const server = createServer((request, answer) => {
    const key = new URL(request.url ?? "/", "http://s3").pathname.slice(`/${bucket}/`.length);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      if (request.method === "PUT" && bucketServer.readOnly) {
        answer.writeHead(403, { "content-type": "application/xml" }).end("<Error><Code>AccessDenied</Code></Error>");
        return;
      }
      if (request.method === "PUT") {
        objects.set(key, Buffer.concat(chunks));
        answer.writeHead(200, { etag: '"1"' }).end();
        return;
      }
      if (request.method === "DELETE") {
        objects.delete(key);
        answer.writeHead(204).end();
        return;
      }
      const found = objects.get(key);
      if (found === undefined) answer.writeHead(404, { "content-type": "application/xml" }).end(request.method === "HEAD" ? undefined : "<Error><Code>NoSuchKey</Code></Error>");
      else answer.writeHead(200, { "content-length": found.length }).end(request.method === "HEAD" ? undefined : found);
    });
  });
  const listen = async (port: number) => once(server.listen(port, "127.0.0.1"), "listening");
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const down = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  const bucketServer: S3Server = {
    url: `s3://${bucket}?region=eu-central-1&scheme=http&endpoint=127.0.0.1:${port}`,
    readUrl: `http://127.0.0.1:${port}/${bucket}?priority=60`,
    objects,
    readOnly: false,
    down,
    async resume() {
      await listen(port);
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) await down();
    },
  };
  return bucketServer;
}
