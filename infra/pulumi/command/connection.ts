/** The inputs of a connection over SSH. */
import { type Inputs, matching, object, required, text, whole } from "./inputs.ts";
import { isPlain, type Properties, secret, type Value, within } from "./properties.ts";

const hop = {
  host: required(text),
  port: whole(1, 65_535),
  user: text,
  /** The official plugin takes a connection without one, and then knows nobody. */
  hostKey: required(matching("TYPE BASE64, the line of a host's public key", (line) => /^\S+ [A-Za-z0-9+/]+=*( .*)?$/.test(line))),
  privateKey: text,
  agentSocketPath: text,
  /** Tries after the first one; -1: no end. */
  dialErrorLimit: whole(-1, 1_000_000),
  /** Seconds for each; 0: no limit. */
  perDialTimeout: whole(0, 86_400),
};

export type HopInputs = Inputs<typeof hop>;
export type ConnectionInputs = HopInputs & { readonly proxy: HopInputs | undefined };

export const connection = object({ ...hop, proxy: object(hop) });

const defaults: Properties = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };

/** A connection is a secret in the state as a whole, and its private keys once more. */
export function filledConnection(inputs: Properties): Properties {
  const { connection: given } = inputs;
  return given === undefined ? inputs : { ...inputs, connection: secret(within(given, filledHop)) };
}

function filledHop(value: Value): Value {
  if (!isPlain(value)) return value;
  const { privateKey, proxy, ...others } = value;
  return {
    ...defaults,
    ...others,
    ...(privateKey !== undefined && { privateKey: secret(privateKey) }),
    ...(proxy !== undefined && { proxy: within(proxy, filledHop) }),
  };
}
