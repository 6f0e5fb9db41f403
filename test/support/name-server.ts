/** A name server that knows some names alone: it asks this machine's own server for them, and says of all others that there is no such name. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { getServers } from "node:dns";

export interface NameServer extends AsyncDisposable {
  /** The names that were asked for and refused. */
  readonly refused: ReadonlySet<string>;
}

/** The name in a question: after a header of 12 bytes its labels, each with its length before it. */
function nameIn(question: Buffer): string {
  const labels: string[] = [];
  for (let at = 12, length = question[at] ?? 0; length > 0; at += length + 1, length = question[at] ?? 0) {
    labels.push(question.toString("latin1", at + 1, at + 1 + length));
  }
  return labels.join(".").toLowerCase();
}

/** The answer that there is no such name (RFC 1035: response, recursion available, code 3). */
function noSuchName(question: Buffer): Buffer {
  const answer = Buffer.from(question);
  answer.writeUInt16BE(0x8183, 2);
  return answer;
}

/** Listens at port 53 of this address. `known`: whether a name (without its final dot) is one of those that are answered. */
export async function startNameServer(address: string, known: (name: string) => boolean): Promise<NameServer> {
  const [upstream = "127.0.0.53"] = getServers();
  const [, host = upstream, port = "53"] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(upstream) ?? [];
  const refused = new Set<string>();
  const server = createSocket("udp4");
  server.on("message", (question, from) => {
    const name = nameIn(question);
    if (!known(name)) {
      refused.add(name);
      server.send(noSuchName(question), from.port, from.address);
      return;
    }
    const asking = createSocket(host.includes(":") ? "udp6" : "udp4");
    const done = () => asking.close();
    const timer = setTimeout(done, 10_000);
    asking.once("message", (answer) => {
      clearTimeout(timer);
      server.send(answer, from.port, from.address);
      done();
    });
    asking.send(question, Number(port), host);
  });
  server.bind(53, address);
  await once(server, "listening");
  return { refused, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
