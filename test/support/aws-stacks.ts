/** The stacks on AWS as their files say it, with the values that everybody has to give. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { newSigningKey } from "../../infra/config/signing-key.ts";

export type Sections = Readonly<Record<string, unknown>>;

export const LOGIN_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKjH2t3tStxajhuOlJszOQxdaJqa6pGHJcEo4fnS05sh";
export const signingKey = newSigningKey("stack-1");

/** A build host that is not on AWS. */
export const OWN_HOST: Sections = { kind: "ssh", host: "builder.example", hostKey: LOGIN_KEY };

const own: Sections = {
  aws: { accountId: "123456789012", sshFrom: ["203.0.113.7/32"], login: { authorizedKeys: [LOGIN_KEY] } },
  binaryCache: { signingKey },
};
const ownOfProd: Sections = { aws: { alarms: { email: "ops@example.org" }, budget: { email: "ops@example.org" } } };

/** The sections of a stack's file (keys `comfyui:…`). */
export function stackFile(stack: string): Sections {
  const { config } = parse(readFileSync(new URL(`../../stacks/Pulumi.${stack}.yaml`, import.meta.url), "utf8")) as { config: Sections };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace("comfyui:", ""), value]));
}

export function stackConfig(stack: "team" | "prod", more: Sections = {}): Sections {
  return [stackFile(stack), own, ...(stack === "prod" ? [ownOfProd] : []), more].reduce(merged, {});
}

/** Objects are merged, all else of `b` takes the place of what `a` has; `undefined` takes it away. */
export function merged(a: Sections, b: Sections): Sections {
  const both = Object.entries(b).map(([key, value]) => [key, isObject(value) && isObject(a[key]) && (value["kind"] ?? a[key]["kind"]) === a[key]["kind"] ? merged(a[key], value) : value]);
  return Object.fromEntries(Object.entries({ ...a, ...Object.fromEntries(both) }).filter(([, value]) => value !== undefined));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
