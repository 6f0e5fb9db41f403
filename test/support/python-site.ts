/** Calls python.site of layers/lib by itself, over the package set debian: what a layer's module would get. */
import type { Result } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";

export interface Site {
  /** Entries of a lock, as JSON. */
  readonly files?: readonly object[];
  /** Attributes of Python packages, and a Nix expression of more packages in the set: a function of `pkgs`. */
  readonly packages?: readonly string[];
  readonly more?: string;
  /** Distributions that others of these stand for. */
  readonly standsFor?: Readonly<Record<string, readonly string[]>>;
  /** Nix expressions of the sites below. */
  readonly below?: readonly string[];
}

/** The expression of a site. */
export function siteExpression(layers: string, { files = [], packages = [], more = "_: { }", standsFor = {}, below = [] }: Site): string {
  return `
    let
      layers = ${layers};
      system = "x86_64-linux";
      platform = (import (layers + "/lib/platforms.nix")).\${system};
      debian = import (layers + "/package-sets/debian") { inherit system platform; inputs = { }; };
      pkgs = debian // { python314Packages = debian.python314Packages // (${more}) debian; };
      lib = import (layers + "/lib") {
        inherit pkgs platform;
        flavor = "sample"; settings = { }; compression = "zstd";
        chosen = layers + "/flavors/sample"; locks = layers + "/locks/sample";
      };
    in
    lib.python.site {
      name = "test-site";
      files = builtins.fromJSON ''${JSON.stringify(files)}'';
      packages = [ ${packages.map((name) => JSON.stringify(name)).join(" ")} ];
      standsFor = builtins.fromJSON ''${JSON.stringify(standsFor)}'';
      below = map (site: { ownSite = [ site ]; }) [ ${below.map((expression) => `(${expression})`).join(" ")} ];
    }`;
}

/** Builds a site; its store path as seen inside. */
export async function buildSite(sandbox: Sandbox, site: Site): Promise<string> {
  const { code, stdout, stderr } = await tryBuildSite(sandbox, site);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}

export async function tryBuildSite(sandbox: Sandbox, site: Site): Promise<Result> {
  const expression = siteExpression(`${sandbox.root}/layers`, site);
  return sandbox.run("nix", ["build", "--impure", "--no-link", "--print-out-paths", "--print-build-logs", "--expr", expression], { allowFailure: true });
}
