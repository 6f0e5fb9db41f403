/** A context for an operators' command in this process: no terminal, no colours, 80 columns. */
import type { Context } from "../../infra/ops/command.ts";
import { styleFor } from "../../infra/table.ts";
import { CHECKOUT } from "./checkout.ts";

export function opsContext(given: Partial<Context>): Context {
  return { root: CHECKOUT, env: process.env, style: styleFor({}, {}), width: 80, show: () => undefined, tell: () => undefined, ...given };
}
