/** A store path's name, without its folder: HASH-NAME[-VERSION]. */
export interface StoreName {
  readonly name: string;
  /** Undefined: the name has none, as of what is no package. */
  readonly version: string | undefined;
}

/** As Nix splits it (builtins.parseDrvName): the version begins with the first dash that no letter follows. */
export function parseStoreName(path: string): StoreName {
  const whole = path.replace(/^[0-9a-z]{32}-/, "");
  const [, name = whole, version] = /^(.+?)-([^a-zA-Z].*)$/.exec(whole) ?? [];
  return { name, version };
}
