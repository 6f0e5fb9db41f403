/** Messages to the person before the engine. */
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";

export interface Log {
  /** A line of a command that runs: shown beside its resource until the next one. Ends when the engine has taken it. */
  readonly line: (text: string) => Promise<void>;
  /** Stays. */
  readonly warning: (text: string) => Promise<void>;
}

type Send = (severity: "INFO" | "WARNING", urn: string, text: string, passing: boolean) => Promise<void>;

/** The log of each resource. `engine`: its address. */
export function logTo(engine: string): (urn: string) => Log {
  let sending: Promise<Send> | undefined;
  const send: Send = async (...args) => (await (sending ??= sender(engine)))(...args);
  return (urn) => ({ line: (text) => send("INFO", urn, text, true), warning: (text) => send("WARNING", urn, text, false) });
}

/** Loaded when there is something to say: most runs have nothing. */
async function sender(engine: string): Promise<Send> {
  const { default: services } = await import("@pulumi/pulumi/proto/engine_grpc_pb.js");
  const { default: messages } = await import("@pulumi/pulumi/proto/engine_pb.js");
  const client = new services.EngineClient(engine, grpc.credentials.createInsecure());
  const log = promisify<LogRequest, unknown>(client.log.bind(client));
  return async (severity, urn, text, passing) => {
    const request = new messages.LogRequest();
    request.setSeverity(messages.LogSeverity[severity]);
    request.setUrn(urn);
    request.setMessage(text);
    request.setEphemeral(passing);
    // A command does not fail because a message of it is not shown.
    await log(request).catch(() => undefined);
  };
}
