/** A server that answers like AWS (moto), and the real AWS CLI that asks it; a program of the same name before it makes calls fail. */
import { hash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHECKOUT } from "./checkout.ts";
import { assemble, type Cleanup } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { type Result, run, type RunOptions, start } from "./process.ts";
import type { Sandbox } from "./sandbox.ts";
import { once } from "./test-cache.ts";

const REQUIREMENTS = join(CHECKOUT, "test/fixtures/aws-tools/requirements.txt");

/** moto and the AWS CLI as the fixture locks them, in the test cache. */
function awsTools(): Promise<string> {
  const word = hash("sha256", readFileSync(REQUIREMENTS, "utf8"), "hex").slice(0, 12);
  const options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check"];
  return once(`aws-tools-${word}`, async (folder) => {
    await run("python3", ["-m", "pip", "install", ...options, "--target", folder, "-r", REQUIREMENTS], { timeout: 600_000 });
  });
}

/** Calls whose words match are answered in another way than the server would. */
export interface Rule {
  /** An extended regular expression for the call's words, joined by spaces. */
  readonly call: string;
  /** The error that AWS answers; none: the answer's form alone, for what moto cannot do. The CLI still checks the call's words. */
  readonly error?: string;
}

function inherited(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([key, value]) => (value === undefined || key.startsWith("AWS_") ? [] : [[key, value]])));
}

const WRAPPER = `#!/usr/bin/env bash
# Stands before the real aws: notes each call, and fails those that a rule names.
set -eu
printf '%s\\n' "$*" >>"$STAND_IN/calls"
while IFS=$'\\t' read -r call error; do
  [[ "$*" =~ $call ]] || continue
  [ "$error" != - ] || exec "$REAL_AWS" "$@" --generate-cli-skeleton output
  printf '\\nAn error occurred (%s) when calling the %s operation (reached max retries: 2): made up for a test.\\n' "$error" "$2" >&2
  exit 254
done <"$STAND_IN/rules"
exec "$REAL_AWS" "$@"
`;

/** A folder for the PATH, in the sandbox's own terms, whose AWS CLI does not run. */
export async function brokenAws(sandbox: Sandbox): Promise<string> {
  const { stdout } = await sandbox.bash('mkdir -p "$TMPDIR/no-aws" && printf "#!/bin/sh\\nexit 127\\n" >"$TMPDIR/no-aws/aws" && chmod +x "$TMPDIR/no-aws/aws" && echo "$TMPDIR/no-aws"');
  return stdout.trim();
}

export class AwsStandIn {
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly #cleanup: Cleanup;

  private constructor(folder: string, env: Readonly<Record<string, string>>, cleanup: Cleanup) {
    this.folder = folder;
    this.env = env;
    this.#cleanup = cleanup;
  }

  static async start(): Promise<AwsStandIn> {
    return assemble(async (cleanup) => {
      const tools = await awsTools();
      const folder = mkdtempSync(join(tmpdir(), "comfyui-aws-"));
      cleanup.add(async () => rmSync(folder, { recursive: true }));
      mkdirSync(join(folder, "bin"));
      writeFileSync(join(folder, "bin/aws"), WRAPPER);
      chmodSync(join(folder, "bin/aws"), 0o755);
      const port = await freePort();
      const server = start("setpriv", ["--pdeathsig", "KILL", "python3", join(tools, "bin/moto_server"), "-H", "127.0.0.1", "-p", `${port}`], { env: { ...inherited(), PYTHONPATH: tools } });
      cleanup.add(() => server.stop(5_000));
      await server.outputMatches(/Running on/, 60_000);
      const env = {
        ...inherited(),
        PATH: `${folder}/bin:${process.env["PATH"] ?? ""}`,
        PYTHONPATH: tools,
        STAND_IN: folder,
        REAL_AWS: join(tools, "bin/aws"),
        AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
        AWS_DEFAULT_REGION: "us-east-1",
        AWS_CONFIG_FILE: "/dev/null",
        AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
        AWS_EC2_METADATA_DISABLED: "true",
      };
      const standIn = new AwsStandIn(folder, env, cleanup);
      standIn.rules([]);
      return standIn;
    });
  }

  /** In place of those before; forgets the calls too. */
  rules(rules: readonly Rule[]): void {
    writeFileSync(join(this.folder, "rules"), rules.map(({ call, error = "-" }) => `${call}\t${error}\n`).join(""));
    writeFileSync(join(this.folder, "calls"), "");
  }

  /** The words of each call since the rules were given. */
  calls(): string[] {
    return readFileSync(join(this.folder, "calls"), "utf8").split("\n").filter(Boolean);
  }

  /** An answer of the server, without the program before it. */
  async ask(...words: string[]): Promise<unknown> {
    const { stdout } = await run(this.env["REAL_AWS"] as string, [...words, "--output", "json"], { env: this.env });
    return stdout === "" ? undefined : JSON.parse(stdout);
  }

  /** Runs a script of infra/hosts. */
  async script(name: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run("bash", [join(CHECKOUT, "infra/hosts", `${name}.sh`), ...args], { ...options, env: { ...this.env, ...options.env }, allowFailure: true });
  }

  async stop(): Promise<void> {
    await this.#cleanup.run();
  }
}
