import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The project's name as Pulumi.yaml gives it; a whole YAML parser for one plain line would be too much. */
export function projectName(root: string): string {
  const name = /^name:\s*([\w.-]+)\s*$/m.exec(readFileSync(join(root, "Pulumi.yaml"), "utf8"))?.[1];
  if (name === undefined) throw new Error(`${join(root, "Pulumi.yaml")} has no line 'name: …'`);
  return name;
}
