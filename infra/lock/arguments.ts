import { parseArgs } from "node:util";
import { FaultError } from "../faults.ts";
import { normalizeName, parseRequirement } from "./requirement.ts";

/** What the tool is asked to do. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "lock"; readonly flavor: string }
  | { readonly kind: "check"; readonly flavor: string }
  /** `requirement` as it was typed: a name, with extras and bounds where wanted. */
  | { readonly kind: "add"; readonly flavor: string; readonly layer: string; readonly requirement: string }
  /** `rev`: a tag, a branch or a commit; `without`: requirements of the node to leave out. */
  | { readonly kind: "add-node"; readonly flavor: string; readonly url: string; readonly rev: string; readonly without: readonly string[] }
  | { readonly kind: "remove-node"; readonly flavor: string; readonly name: string }
  /** Without names: everything. */
  | { readonly kind: "update"; readonly flavor: string; readonly names: readonly string[] };

export const helpText = `npm run lock -- [COMMAND] [--flavor FLAVOR]

Locks the Python packages of a flavor (default: sample): reads layers/flavors/FLAVOR/requirements.json, resolves with uv,
writes layers/locks/FLAVOR/LAYER.lock.json, or nothing where anything is wrong.

  npm run lock                                   what is required and not yet locked; locked versions stay as long as they fit
  npm run lock -- --check                        writes nothing; fails where a lock is stale or wrong
  npm run lock -- add NAME [--layer LAYER]       requires one more package (default: layer4-deps), and locks it
  npm run lock -- update [NAME...]               newer versions within the bounds, newer tags and branch heads of git sources, and
                                                 nixpkgs: of everything, or of what is named
  npm run lock -- add-node URL REV [--without NAME]...
                                                 pins a custom node at a tag, a branch or a commit, with what it requires, but
                                                 for NAME; the layers below stay as they are
  npm run lock -- remove-node NAME               takes a custom node out

  npm run lock -- add 'kornia>=0.8' --flavor pypi
  npm run lock -- add 'huggingface-hub[hf-xet]' --layer layer4-deps --flavor pypi
  npm run lock -- update sageattention --flavor pypi
  npm run lock -- add-node https://github.com/OWNER/ComfyUI-Name v1.2.3 --without opencv-python

The index is the one that uv and pip are set to: UV_DEFAULT_INDEX, PIP_INDEX_URL, pip's configuration, else uv's default.`;

const options = {
  flavor: { type: "string", default: "sample" },
  layer: { type: "string" },
  without: { type: "string", multiple: true },
  check: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Reads the command line; throws one FaultError for what is not understood. */
export function parseArguments(args: readonly string[]): Command {
  const { values, positionals } = parsed(args);
  const [verb, ...rest] = positionals;
  const { flavor, layer, without, check, help } = values;
  if (help) return { kind: "help" };
  if (layer !== undefined && verb !== "add") throw usage("--layer belongs to add", `--layer ${layer}`);
  if (without !== undefined && verb !== "add-node") throw usage("--without belongs to add-node", `--without ${without.join(" --without ")}`);
  if (check && verb !== undefined) throw usage("--check goes with no command", `${verb} --check`);
  if (verb === undefined) return { kind: check ? "check" : "lock", flavor };
  const command = verbs[verb];
  if (command === undefined) throw usage("there is no such command", verb, Object.keys(verbs).join(" or "));
  return command(flavor, rest, { layer, without });
}

interface Options {
  readonly layer: string | undefined;
  readonly without: readonly string[] | undefined;
}

const verbs: Readonly<Record<string, (flavor: string, rest: readonly string[], options: Options) => Command>> = {
  add(flavor, [requirement, ...more], { layer = "layer4-deps" }) {
    if (requirement === undefined || more.length > 0) throw usage("add wants one package", [requirement, ...more].join(" ") || "none", "add NAME");
    if (parseRequirement(requirement) === undefined) throw usage("this is no requirement", requirement, "NAME, NAME[EXTRA] or NAME>=VERSION");
    return { kind: "add", flavor, layer, requirement };
  },
  "add-node"(flavor, [url, rev, ...more], { without = [] }) {
    if (url === undefined || rev === undefined || more.length > 0) throw usage("add-node wants an address and a revision", [url, rev, ...more].filter((word) => word !== undefined).join(" ") || "none", "add-node URL REV, where REV is a tag, a branch or a commit");
    return { kind: "add-node", flavor, url, rev, without: [...new Set(without.map(normalizeName))].sort() };
  },
  "remove-node"(flavor, [name, ...more]) {
    if (name === undefined || more.length > 0) throw usage("remove-node wants one name", [name, ...more].join(" ") || "none", "remove-node NAME");
    return { kind: "remove-node", flavor, name: normalizeName(name) };
  },
  update: (flavor, names) => ({ kind: "update", flavor, names }),
};

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usage("the arguments are not understood", (error as Error).message);
  }
}

function usage(problem: string, found: string, expected = "a command line as `npm run lock -- --help` shows"): FaultError {
  return new FaultError([{ code: "LOCK_USAGE", where: "npm run lock", problem, found, expected }]);
}
