/** Which values of the configuration are secrets, and that they are kept as such. */
import type { Fault } from "../faults.ts";
import { dotted, type Show, show } from "../zod-faults.ts";

/** Values under these keys are never shown, and must not stand in a stack's file in clear. */
export const secretKeys: ReadonlySet<string> = new Set(["privateKey", "signingKey", "password"]);

/** `isSecret` tells of a section (a key `comfyui:…`) whether Pulumi keeps it, or a part of it, encrypted. */
export function plainSecrets(input: Record<string, unknown>, isSecret: (section: string) => boolean): Fault[] {
  return Object.entries(input).flatMap(([section, value]) => (isSecret(section) ? [] : secretPaths(value, [section]).map((path) => plainFault(dotted(path)))));
}

/** Of a section with secrets only that is shown which is of the right kind at a key that exists: a secret may be anywhere else by mistake. */
export function showExceptSecrets(isSecret: (section: string) => boolean): Show {
  return (value, path, code) => {
    const misplaced = code === "unrecognized_keys" || code === "invalid_type" || path.length === 1 || (value !== null && typeof value === "object");
    const hidden = isSecret(String(path[0])) && misplaced;
    if (value === undefined || !(hidden || path.some((key) => secretKeys.has(String(key))))) return show(value);
    return "a value that is not shown";
  };
}

function plainFault(path: string): Fault {
  return { code: "CONFIG_SECRET_PLAIN", where: `comfyui:${path}`, problem: "this secret stands in the stack's file in clear", fix: `pulumi config set --secret --path 'comfyui:${path}' < FILE` };
}

function secretPaths(value: unknown, path: readonly (string | number)[]): (readonly (string | number)[])[] {
  if (value === null || typeof value !== "object") return [];
  const parts = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return parts.flatMap(([key, part]: [string | number, unknown]) => (secretKeys.has(String(key)) && typeof part === "string" ? [[...path, key]] : secretPaths(part, [...path, key])));
}
