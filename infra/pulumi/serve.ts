/** What a plugin of Pulumi's engine is beside its service: a gRPC server on a port that it prints, for as long as the engine lives. */
import { connect } from "node:http2";
import { flushCompileCache } from "node:module";
import grpc from "@grpc/grpc-js";

/** The SDK's own limit: state holds all that a command wrote. */
const MAX_MESSAGE = 400 * 1024 * 1024;

/** `HOST:PORT` of the engine, the last argument of each plugin. Throws where there is none: a plugin is nothing by itself. */
export function engineAddress(args: readonly string[] = process.argv.slice(2)): string {
  const last = args.at(-1) ?? "";
  if (/^[^\s/]+:\d+$/.test(last)) return last;
  throw new Error(`Pulumi's engine starts this program; expected its address, HOST:PORT, as the last argument, found ${JSON.stringify(last)}`);
}

/**
 * Serves on a free port of the loopback, prints the port for the engine, and ends with the engine. What is not in `methods` is
 * answered with "unimplemented".
 */
export async function serve<Methods extends grpc.UntypedServiceImplementation>(
  engine: string,
  service: grpc.ServiceDefinition<Methods>,
  methods: Partial<Methods>,
): Promise<void> {
  endWith(engine);
  const server = new grpc.Server({ "grpc.max_receive_message_length": MAX_MESSAGE });
  server.addService(service, methods as grpc.UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  process.stdout.write(`${port}\n`);
  // Node keeps what it has compiled when it ends by itself, but the engine kills its plugins.
  flushCompileCache();
}

/** A method as a function. What it throws is the call's error, by its message; `signal` is aborted when the engine gives the call up. */
export function unary<Request, Answer>(method: (request: Request, signal: AbortSignal) => Answer | Promise<Answer>): grpc.handleUnaryCall<Request, Answer> {
  return (call, done) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    // In a promise, so that what is thrown at once is the call's error too.
    Promise.resolve()
      .then(() => method(call.request, gone.signal))
      .then((answer) => done(null, answer), (error: Error) => done({ code: grpc.status.UNKNOWN, details: error.message }));
  };
}

/**
 * An engine that is killed tells nobody; its end of a connection closes all the same. Then this process ends with all that it
 * started, as the engine itself would end it: by the process group, which each plugin leads. What has a group of its own, a
 * build of Nix's, goes on.
 */
function endWith(engine: string): void {
  const session = connect(`http://${engine}`);
  // Without a listener an error would be shown to a person; "close" comes after it.
  session.on("error", () => undefined);
  session.on("close", () => {
    try {
      process.kill(-process.pid, "SIGKILL");
    } catch {
      // It was not started by an engine: there is no such group.
      process.exit(1);
    }
  });
}
