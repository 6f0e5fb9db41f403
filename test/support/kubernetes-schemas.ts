/** Kubernetes' own schemas of its objects, as the Python package kubernetes-validate carries them. */
import { join } from "node:path";
import { type Result, run } from "./process.ts";
import { once } from "./test-cache.ts";

const VERSION = "1.37.0";

/** Checks a file against the schemas of one version of Kubernetes; a property that they do not know is a fault. */
export async function validateManifests(file: string, version: string): Promise<Result> {
  const folder = await once(`kubernetes-validate-${VERSION}`, async (partial) => {
    await run("python3", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:", "--target", partial, `kubernetes-validate==${VERSION}`]);
  });
  const env = { ...process.env, PYTHONPATH: folder } as Record<string, string>;
  return run("python3", [join(folder, "bin/kubernetes-validate"), "--strict", "--kubernetes-version", version, file], { env, allowFailure: true });
}
