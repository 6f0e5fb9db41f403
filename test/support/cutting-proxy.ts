/** A way to a server that can be cut: from then on connections are refused, those that are open end, until it is mended. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export interface CuttingProxy {
  /** HOST:PORT. */
  readonly address: string;
  /** Cuts it once this many bytes more have gone to the server; 0: at once. */
  cutAfter(bytes: number): Promise<void>;
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** `target`: HOST:PORT; `at`: the address that it listens on. */
export async function cuttingProxy(target: string, at: string): Promise<CuttingProxy> {
  const { hostname, port: targetPort } = new URL(`http://${target}`);
  const open = new Set<Socket>();
  let left = Infinity;
  let port = 0;
  let server: Server;
  const cut = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of open) socket.destroy();
    await once(server, "close");
  };
  const mend = async () => {
    left = Infinity;
    server = createServer((client) => {
      const upstream = connect(Number(targetPort), hostname);
      for (const socket of [client, upstream]) {
        open.add(socket);
        socket.on("error", () => undefined).on("close", () => [client, upstream].forEach((each) => open.delete(each) && each.destroy()));
      }
      upstream.pipe(client);
      client.pipe(upstream);
      client.on("data", ({ length }) => {
        left -= length;
        if (left <= 0) void cut();
      });
    }).listen(port, at);
    await once(server, "listening");
    ({ port } = server.address() as AddressInfo);
  };
  await mend();
  return {
    address: `${at}:${port}`,
    async cutAfter(bytes) {
      left = bytes;
      if (bytes === 0) await cut();
    },
    mend,
    stop: cut,
  };
}
