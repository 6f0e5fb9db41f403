/** Texts of the configuration whose fault has a code of its own and says what was expected. */
import ssh2 from "ssh2";
import { z } from "zod";
import type { FaultCode } from "../faults.ts";
import { hostKeyTypes, isKeyLine } from "../ssh/host-key.ts";
import { isSigningKey } from "./signing-key.ts";

export function checked(code: FaultCode, expected: string, holds: (value: string) => boolean, problem: string): z.ZodString {
  return z.string().refine(holds, { error: problem, params: { code, expected } });
}

export const projectPath = checked(
  "CONFIG_PATH",
  "a relative path inside the project's folder, of letters, digits and . _ - /",
  (path) => /^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(path) && !path.split("/").some((part) => part === "." || part === ".."),
  "the path cannot be used",
).refine((path) => !/^(infra|layers|stacks|test|docs|node_modules|\.git)(\/|$)/.test(path), {
  error: "the path lies among the project's sources",
  params: { code: "CONFIG_SOURCE_PATH", expected: "a folder that holds no source, such as .local/cache" },
});

export const repository = checked(
  "CONFIG_REPOSITORY",
  "HOST[:PORT]/NAME in lower case, without scheme, tag or digest, such as localhost:5000/comfyui",
  (name) => /^[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/.test(name),
  "this names no image repository",
);

export const publicKey = checked(
  "CONFIG_PUBLIC_KEY",
  "NAME:BASE64, 32 bytes in base64 after the colon",
  (key) => /^[A-Za-z0-9._-]+:[A-Za-z0-9+/]{43}=$/.test(key),
  "this is no Nix public key",
);

export const substituterUrl = checked(
  "CONFIG_URL",
  "an absolute URL: https://…, http://…, file:///… or s3://…",
  (url) => /^(https?|s3):\/\/[^\s/?#]+[^\s]*$|^file:\/\/\/\S+$/.test(url),
  "this is no address of a binary cache",
);

/** A name or an address; not a URL, not USER@HOST. */
export const hostName = checked(
  "CONFIG_HOST",
  "a name such as build.example, or an IP address, without user and port",
  (host) => /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host) || /^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+$/.test(host),
  "this is no host's name or address",
);

export const userName = checked("CONFIG_USER", "a name of a Linux user", (name) => /^[a-z_][a-z0-9_-]{0,31}$/.test(name), "this is no user's name");

/** As in a .pub file or a line of authorized_keys; a comment behind it is dropped. */
export const hostKey = z
  .string()
  .transform((line) => line.trim().split(/\s+/).slice(0, 2).join(" "))
  .refine(isKeyLine, {
    error: "this is no SSH host key",
    params: { code: "CONFIG_HOST_KEY", expected: `TYPE BASE64 with ${hostKeyTypes.join(", ")}; \`npm run ops -- host key HOST\` reads it` },
  });

/** Whether it has a passphrase is seen here: there is nobody to ask for it. */
export const privateKey = z
  .string()
  .transform((text) => `${text.trim()}\n`)
  .refine((text) => !(ssh2.utils.parseKey(text) instanceof Error), {
    error: "this is no SSH private key that can be read",
    params: { code: "CONFIG_PRIVATE_KEY", expected: "the text of a private key without a passphrase, in OpenSSH's or PEM form" },
  });

export const signingKey = z
  .string()
  .transform((text) => text.trim())
  .refine(isSigningKey, {
    error: "this is no Nix signing key",
    params: { code: "CONFIG_SIGNING_KEY", expected: "NAME:BASE64 as `npm run ops -- cache key NAME` or `nix key generate-secret` gives it" },
  });

export const cacheName = checked("CONFIG_NAME", "lower case letters, digits and -, at most 40", (name) => /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name), "this is no name for a cache");

export const domainName = checked("CONFIG_DOMAIN", "a name of the DNS such as cache.example", (name) => /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])$/.test(name), "this is no domain name");

export const cacheUrl = checked("CONFIG_URL", "http://HOST[:PORT] or https://HOST[:PORT], without a path", (url) => /^https?:\/\/[^\s/?#@]+\/?$/.test(url), "this is no address of a cache server");

export const s3Url = checked("CONFIG_URL", "s3://BUCKET?region=…, with endpoint=… where it is not AWS", (url) => /^s3:\/\/[a-z0-9][a-z0-9.-]+(\?[^\s#]*)?$/.test(url), "this is no address of a bucket");

export const absolutePath = checked("CONFIG_PROGRAM", "an absolute path, of letters, digits and . _ + - /", (path) => /^(\/[A-Za-z0-9._+-]+)+$/.test(path), "this is no path of a program or a device");

/** Nix reads it from a netrc file, which has no way to quote. */
export const password = checked("CONFIG_PASSWORD", "8 to 128 printable ASCII characters without spaces, quotes and backslashes", (text) => /^[!#-&(-[\]-_a-~]{8,128}$/.test(text), "this password cannot be used");

export const featureName = checked("CONFIG_NAME", "a word such as big-parallel", (name) => /^[a-z0-9-]+$/.test(name), "this is no name of a system feature");
