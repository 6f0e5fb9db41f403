/** Pulumi.yaml's `runtime.options`, as far as a program is started by them. Pure. */
import { type Fault, throwFaults } from "../../faults.ts";

export interface RuntimeOptions {
  /** The program is compiled by ts-node. `false`: Node.js runs it as it is. Default: true, which is Pulumi's. */
  readonly typescript: boolean;
  /** Arguments of Node.js itself (`nodeargs`). Default: none. */
  readonly nodeArguments: readonly string[];
}

type Options = Readonly<Record<string, unknown>>;

/** What each known option has to be, and whether it is. */
const KNOWN: Readonly<Record<string, { readonly expected: string; readonly fits: (value: unknown) => boolean }>> = {
  typescript: { expected: "true or false", fits: (value) => typeof value === "boolean" },
  nodeargs: { expected: "arguments without quotes and backslashes, with spaces between them", fits: (value) => typeof value === "string" && !/["'\\#]/.test(value) },
};

/** Throws a FaultError for all options that are unknown or have another value than they may. */
export function runtimeOptions(options: Options): RuntimeOptions {
  throwFaults(Object.entries(options).flatMap(([name, value]) => optionFaults(name, value)));
  const { typescript = true, nodeargs = "" } = options as { readonly typescript?: boolean; readonly nodeargs?: string };
  return { typescript, nodeArguments: nodeargs.split(/\s+/).filter((word) => word !== "") };
}

function optionFaults(name: string, value: unknown): Fault[] {
  const where = `Pulumi.yaml: runtime.options.${name}`;
  const found = JSON.stringify(value);
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined;
  if (known === undefined) {
    const problem = "this project's language host does not know this option";
    const fix = "remove it; Pulumi's own language host may know it";
    return [{ code: "PLUGIN_RUNTIME_OPTION", where, problem, found, expected: `one of ${Object.keys(KNOWN).join(", ")}`, fix }];
  }
  if (known.fits(value)) return [];
  return [{ code: "PLUGIN_RUNTIME_OPTION", where, problem: "this option cannot have this value", found, expected: known.expected }];
}
