import { parseArgs } from "node:util";
import { FaultError } from "../faults.ts";
import { isKeyLine } from "../ssh/host-key.ts";
import type { HandRole } from "./stack-bootstrap.ts";

/** A host on the way, and how to log in there: with the key in the file, else with the SSH agent's. */
export interface JumpArguments {
  readonly user: string;
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
  readonly identity: string | undefined;
}

/** What an operator asks for. `json`: as one JSON object on standard output. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "host key"; readonly host: string; readonly port: number; readonly jump: JumpArguments | undefined; readonly json: boolean }
  /** `number`: of the builder, from 1. */
  | { readonly kind: "host bootstrap"; readonly role: HandRole; readonly number: number; readonly stack: string; readonly json: boolean }
  | { readonly kind: "cache key"; readonly name: string; readonly json: boolean }
  | { readonly kind: "aws account"; readonly region: string; readonly json: boolean }
  | { readonly kind: "aws image"; readonly stack: string; readonly json: boolean };

export const helpText = `npm run --silent ops -- COMMAND

  host key HOST [--port N] [--jump USER@HOST[:PORT] --jump-key KEY [--identity FILE]]
                           the host's SSH key as the configuration wants it, and its fingerprint: compare that with what the
                           host itself says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) before you trust it
  host bootstrap build|cache|builder [N] --stack STACK
                           the text that sets up the stack's machine (N: which builder, from 1), for a person to run:
                             npm run --silent ops -- host bootstrap build --stack team | ssh root@HOST bash -s
                           it may hold the password of the cache; where the configuration has \`admin\`, \`pulumi up\` sends it itself
  cache key NAME           makes a signing key for a binary cache: the secret half on standard output, the public on standard error
                             npm run --silent ops -- cache key team-1 | pulumi config set --secret --path comfyui:binaryCache.signingKey
  aws account REGION       makes what an account needs before its first stack: a bucket for the state, a key for its secrets
  aws image --stack STACK  the AMIs that new hosts of the stack would start from now, and how to take them; a host keeps its own
                           until the configuration names another

  --json                   the answer as one JSON object
  --help                   this text`;

const options = {
  port: { type: "string" },
  jump: { type: "string" },
  "jump-key": { type: "string" },
  identity: { type: "string" },
  stack: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

type Values = ReturnType<typeof parsed>["values"];

interface Verb {
  /** The options that it takes, beside --json and --help. */
  readonly takes: readonly (keyof typeof options)[];
  read(rest: readonly string[], values: Values): Command;
}

const verbs: Readonly<Record<Exclude<Command["kind"], "help">, Verb>> = {
  "host key": {
    takes: ["port", "jump", "jump-key", "identity"],
    read(rest, values) {
      const host = one(rest, "host key wants one host", "host key HOST");
      return { kind: "host key", host, port: portOf(values.port ?? "22", "--port"), jump: jumpOf(values), json: values.json };
    },
  },
  "host bootstrap": {
    takes: ["stack"],
    read([role, number = "1", ...more], { stack, json }) {
      if (role !== "build" && role !== "cache" && role !== "builder") throw usage("host bootstrap wants a role", role ?? "none", "build, cache or builder");
      if (!/^[1-9][0-9]{0,3}$/.test(number) || more.length > 0) throw usage("this is no number of a builder", [number, ...more].join(" "), "1 or more, and nothing behind it");
      if (stack === undefined) throw usage("host bootstrap wants a stack", "none", "--stack STACK");
      return { kind: "host bootstrap", role, number: Number(number), stack, json };
    },
  },
  "cache key": {
    takes: [],
    read(rest, { json }) {
      const name = one(rest, "cache key wants one name", "cache key NAME, such as team-1: a later key of the same cache is team-2");
      if (!/^[A-Za-z0-9._-]+$/.test(name)) throw usage("this is no name of a key", name, "letters, digits and . _ -");
      return { kind: "cache key", name, json };
    },
  },
  "aws account": {
    takes: [],
    read(rest, { json }) {
      return { kind: "aws account", region: one(rest, "aws account wants one region", "aws account REGION, such as eu-central-1"), json };
    },
  },
  "aws image": {
    takes: ["stack"],
    read(rest, { stack, json }) {
      if (rest.length > 0) throw usage("aws image wants nothing but a stack", rest.join(" "), "--stack STACK");
      if (stack === undefined) throw usage("aws image wants a stack", "none", "--stack STACK");
      return { kind: "aws image", stack, json };
    },
  },
};

/** Reads the command line; throws one FaultError for what is not understood. */
export function parseArguments(args: readonly string[]): Command {
  const { values, positionals } = parsed(args);
  if (values.help || positionals.length === 0) return { kind: "help" };
  const kind = positionals.slice(0, 2).join(" ");
  if (!(kind in verbs)) throw usage("there is no such command", kind, Object.keys(verbs).join(" or "));
  const { takes, read } = verbs[kind as keyof typeof verbs];
  const others = Object.keys(options).filter((name) => name in values && !["json", "help", ...takes].includes(name));
  if (others.length > 0) throw usage(`these options do not belong to ${kind}`, others.map((name) => `--${name}`).join(" "));
  return read(positionals.slice(2), values);
}

function one(rest: readonly string[], problem: string, expected: string): string {
  const [word, ...more] = rest;
  if (word === undefined || more.length > 0) throw usage(problem, rest.join(" ") || "none", expected);
  return word;
}

function portOf(text: string, option: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw usage(`${option} is no port`, text, "1 to 65535");
  return port;
}

function jumpOf(values: Values): JumpArguments | undefined {
  const { jump, identity, "jump-key": hostKey } = values;
  if (jump === undefined && (hostKey !== undefined || identity !== undefined)) throw usage("--jump-key and --identity belong to --jump", "no --jump");
  if (jump === undefined) return undefined;
  const [, user, host, port = "22"] = /^([^@\s]+)@([^@\s:]+)(?::(\d+))?$/.exec(jump) ?? [];
  if (user === undefined || host === undefined) throw usage("--jump is no login", jump, "USER@HOST or USER@HOST:PORT");
  // A key that came through a host that nobody knows would be that host's word.
  if (hostKey === undefined || !isKeyLine(hostKey)) throw usage("--jump wants the jump host's own key", hostKey ?? "none", "--jump-key 'TYPE BASE64', as `host key` prints it");
  return { user, host, port: portOf(port, "--jump"), hostKey, identity };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usage("the arguments are not understood", (error as Error).message);
  }
}

function usage(problem: string, found: string, expected = "a command line as `npm run ops -- --help` shows"): FaultError {
  return new FaultError([{ code: "OPS_USAGE", where: "npm run ops", problem, found, expected }]);
}
