/** Proxies in front of a real registry, each with one thing that goes wrong. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FaultyProxy extends AsyncDisposable {
  /** HOST:PORT, as in an image's reference. */
  readonly address: string;
}

/** After the first manifest that comes in, every manifest that goes out ends with a line break that it did not have. */
export async function spoilManifests(registry: string): Promise<FaultyProxy> {
  let sent = false;
  return serve((incoming, outgoing) => {
    const { method, url = "" } = incoming;
    const isManifest = url.includes("/manifests/");
    if (method === "PUT" && isManifest) sent = true;
    const spoil = method === "GET" && isManifest && sent ? "\n" : "";
    forward(registry, incoming, outgoing, (answer) => {
      const length = answer.headers["content-length"];
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...(length !== undefined && { "content-length": Number(length) + spoil.length }) });
      answer.on("data", (chunk) => outgoing.write(chunk)).on("end", () => outgoing.end(spoil));
    });
  });
}

/** A tag that is there never changes, as in a repository of Amazon ECR whose tags are immutable; its words are ECR's. */
export async function fixTags(registry: string): Promise<FaultyProxy> {
  return serve((incoming, outgoing) => {
    const { method, url = "" } = incoming;
    const [, tag] = /\/manifests\/([^:]+)$/.exec(url) ?? [];
    if (method !== "PUT" || tag === undefined) return forward(registry, incoming, outgoing, (answer) => passOn(answer, outgoing));
    request(`http://${registry}${url}`, { method: "HEAD", headers: { accept: "application/vnd.oci.image.manifest.v1+json" } }, ({ statusCode }) => {
      if (statusCode !== 200) return forward(registry, incoming, outgoing, (answer) => passOn(answer, outgoing));
      incoming.resume().on("end", () => {
        const message = `The image tag '${tag}' already exists in the repository and cannot be overwritten because the tag is immutable.`;
        outgoing.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ errors: [{ code: "TAG_INVALID", message }] }));
      });
    }).end();
  });
}

/** From the end of the first upload on it answers nobody any more: a registry that goes down in the middle. */
export async function dieInUpload(registry: string): Promise<FaultyProxy> {
  let dead = false;
  return serve((incoming, outgoing) => {
    if (dead) return void incoming.socket.destroy();
    forward(registry, incoming, outgoing, (answer) => {
      passOn(answer, outgoing);
      if (incoming.method === "PUT") answer.on("end", () => (dead = true));
    });
  });
}

function passOn(answer: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
  answer.pipe(outgoing);
}

function forward(registry: string, incoming: IncomingMessage, outgoing: ServerResponse, answered: (answer: IncomingMessage) => void): void {
  const { method, url = "", headers } = incoming;
  const forwarded = request(`http://${registry}${url}`, { method, headers }, answered);
  forwarded.on("error", () => outgoing.destroy());
  incoming.pipe(forwarded);
}

async function serve(listener: RequestListener): Promise<FaultyProxy> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
