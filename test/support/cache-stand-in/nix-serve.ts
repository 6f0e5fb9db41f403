/** Stands in for nix-serve: the same command line, the store as Nix's daemon gives it. */
import { parseArgs } from "node:util";
import { serve } from "./serve.ts";
import { fromDaemon } from "./stores.ts";

const options = { host: { type: "string" }, port: { type: "string" }, workers: { type: "string" }, "disable-keepalive": { type: "boolean" } } as const;
const { host = "0.0.0.0", port = "5000", workers = "5", "disable-keepalive": closing = false } = parseArgs({ options }).values;
await serve({ host, port: Number(port), find: fromDaemon(), priority: 30, atOnce: Number(workers), keepAlive: !closing });
