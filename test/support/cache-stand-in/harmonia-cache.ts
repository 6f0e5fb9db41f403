/** Stands in for harmonia-cache: the same settings file, the store's database as it lies there. */
import { readFileSync } from "node:fs";
import { serve } from "./serve.ts";
import { fromDatabase } from "./stores.ts";

type Value = string | number | boolean;
/** What may be set, with harmonia's own values for what is not. Neither compression nor a number of threads is of use here. */
const defaults: Readonly<Record<string, Value>> = { bind: "[::]:5000", workers: 4, priority: 30, enable_compression: true };

function settings(file: string): Record<string, Value> {
  const lines = readFileSync(file, "utf8").split("\n").filter((line) => line.trim() !== "");
  const pairs = lines.map((line): [string, Value] => {
    // A string, a number or a truth value is the same in TOML and in JSON.
    const [, key = "", value = ""] = /^(\w+) *= *(.+)$/.exec(line) ?? [];
    if (typeof defaults[key] !== typeof JSON.parse(value || "null")) throw new Error(`${file}: not a setting: ${line}`);
    return [key, JSON.parse(value) as Value];
  });
  return { ...defaults, ...Object.fromEntries(pairs) };
}

const { bind, priority } = settings(process.env["CONFIG_FILE"] ?? "settings.toml");
const [, host = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(String(bind)) ?? [];
await serve({ host, port: Number(port), find: fromDatabase(), priority: Number(priority), atOnce: Number.POSITIVE_INFINITY, keepAlive: true });
