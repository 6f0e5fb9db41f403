/** As much of S3 as Nix asks of a bucket: objects by key, in memory. Who may do what is not checked. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface S3Server extends AsyncDisposable {
  /** The bucket's address as Nix reads it. */
  readonly url: string;
  readonly objects: ReadonlyMap<string, Buffer>;
}

export async function startS3(bucket: string): Promise<S3Server> {
  const objects = new Map<string, Buffer>();
  const server = createServer((request, answer) => {
    const key = new URL(request.url ?? "/", "http://s3").pathname.slice(`/${bucket}/`.length);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      if (request.method === "PUT") {
        objects.set(key, Buffer.concat(chunks));
        answer.writeHead(200, { etag: '"1"' }).end();
        return;
      }
      const found = objects.get(key);
      if (found === undefined) answer.writeHead(404, { "content-type": "application/xml" }).end(request.method === "HEAD" ? undefined : "<Error><Code>NoSuchKey</Code></Error>");
      else answer.writeHead(200, { "content-length": found.length }).end(request.method === "HEAD" ? undefined : found);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `s3://${bucket}?region=eu-central-1&scheme=http&endpoint=127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
