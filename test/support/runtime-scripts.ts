/** The scripts by which a container starts (layers/layer6-app/runtime), called on this machine's Python: they need no image. */
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { run } from "./process.ts";

const MODULES = join(CHECKOUT, "layers/layer6-app/runtime");

/** A program's start: the modules can be imported, and `given` is what the test hands over. */
export function script(code: string, given: unknown): string[] {
  const head = `import dataclasses, json, os, sys; from pathlib import Path; sys.path.insert(0, ${JSON.stringify(MODULES)}); given = json.loads(sys.argv[1])`;
  return ["-B", "-I", "-c", `${head}\n${code}`, JSON.stringify(given)];
}

/** The value of a Python expression, by way of JSON; data classes as objects, paths as texts. */
export async function evaluate(modules: string, expression: string, given: unknown = null): Promise<unknown> {
  const plain = "lambda each: dataclasses.asdict(each) if dataclasses.is_dataclass(each) else str(each)";
  const { stdout } = await run("python3", script(`import ${modules}\nprint(json.dumps(${expression}, default=${plain}))`, given));
  return JSON.parse(stdout);
}
