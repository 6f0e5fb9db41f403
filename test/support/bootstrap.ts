/** A bootstrap's text from settings, as `ssh root@HOST bash -s` or a cloud's user data gets it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";

const hosts = (name: string) => readFileSync(join(CHECKOUT, "infra/hosts", name), "utf8");

export function bootstrapText(settings: { readonly role: "build" | "cache" | "builder" } & Record<string, unknown>): string {
  const here = (name: string, end: string, text: string) => `${name}=$(cat <<'${end}'\n${text.trimEnd()}\n${end}\n)\n`;
  const extra = settings.role === "cache" ? here("CACHE_PUSH", "CACHE_PUSH", hosts("cache-push.sh")) : "";
  const parts = ["messages.sh", "bootstrap/common.sh", `bootstrap/${settings.role}.sh`].map(hosts);
  return ["#!/usr/bin/env bash\n", here("SETTINGS", "JSON", JSON.stringify(settings)), extra, ...parts].join("\n");
}
