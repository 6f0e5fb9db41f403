/**
 * What a release of this program leaves behind: the state of a stack that it brought up, and the layers it did that with, as
 * test/fixtures/releases/NAME.tgz. `node test/support/kept-release.ts NAME` keeps that of this checkout.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { create, extract } from "tar";
import { configInput } from "../../infra/config.ts";
import { readPlan } from "../../infra/read-plan.ts";
import { CHECKOUT } from "./checkout.ts";
import type { Sandbox } from "./sandbox.ts";
import { warmSandbox } from "./warm.ts";

const FOLDER = join(CHECKOUT, "test/fixtures/releases");
const STATE = "state.json";

export function keptReleases(): string[] {
  return readdirSync(FOLDER).map((file) => basename(file, ".tgz"));
}

/** Gives the sandbox the layers and the state of a release, in place of its own. */
export async function takeRelease(sandbox: Sandbox, name: string): Promise<void> {
  const layers = sandbox.host("layers");
  rmSync(layers, { recursive: true });
  await extract({ file: join(FOLDER, `${name}.tgz`), cwd: dirname(layers) });
  await sandbox.run("pulumi", ["stack", "import", "--file", STATE, "--non-interactive"]);
}

async function keep(name: string): Promise<void> {
  await using sandbox = await warmSandbox();
  const { inputs } = readPlan(sandbox.host("layers"), configInput({}), () => false);
  const folder = mkdtempSync(join(tmpdir(), "comfyui-release-"));
  try {
    const files = ["layers.json", ...new Set([...inputs.values()].flatMap((each) => Object.keys(each)))].map((file) => `layers/${file}`).sort();
    for (const file of files) cpSync(sandbox.host(file), join(folder, file));
    writeFileSync(join(folder, STATE), (await sandbox.run("pulumi", ["stack", "export", "--non-interactive"])).stdout);
    await create({ file: join(FOLDER, `${name}.tgz`), cwd: folder, gzip: true, portable: true, noMtime: true }, [STATE, ...files]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) await keep(process.argv[2] ?? "");
