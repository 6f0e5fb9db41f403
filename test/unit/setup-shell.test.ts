/** Set-up's shell functions, called as they are: the parts are sourced, nothing is installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const infra = join(import.meta.dirname, "../../infra");
const odd = "/tmp/it's 100% ü";

function bash(code: string, env: Record<string, string> = {}): string {
  const sources = ["hosts/common", "setup/report", "setup/packages", "setup/node", "setup/uv", "setup/pulumi", "setup/nix", "setup/state"];
  const head = `set -euo pipefail; toolchain=/nonexistent; bundle_state=found; ${sources.map((name) => `. ${infra}/${name}.sh`).join("; ")}`;
  const base = { PATH: process.env["PATH"] ?? "", root: odd, local_dir: `${odd}/.local` };
  return execFileSync("bash", ["-c", `${head}\n${code}`], { env: { ...base, system_path: base.PATH, ...env }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const holds = (code: string) => bash(`if ${code}; then echo yes; else echo no; fi`).trim() === "yes";

test("versions compare by number, whatever stands before them", () => {
  for (const [version, minimum] of [["v22.18.0", "22.18"], ["24.1.0", "22.18"], ["3.259.0", "3.259.0"], ["nix-bin 2.26.3+dfsg-1", "2.18"]]) {
    assert.ok(holds(`at_least '${version}' '${minimum}'`), `${version} >= ${minimum}`);
  }
  for (const [version, minimum] of [["v20.20.2", "22.18"], ["22.9.0", "22.18"], ["2.8.0-1.1+b1", "2.18"], ["nix-bin (none)", "2.18"], ["", "1"]]) {
    assert.ok(!holds(`at_least '${version}' '${minimum}'`), `${version} < ${minimum}`);
  }
});

test("what an earlier run installed into the checkout is not the system's", () => {
  assert.equal(bash('outside_path "$root/.local/bin:/usr/bin:$root/node_modules/.bin:/bin"').trim(), "/usr/bin:/bin");
});

test("the environment survives quotes, spaces and percent signs in the folder's name", () => {
  const printed = bash('eval "$(env_text)"; printf "%s\\n" "$COMFYUI_ROOT" "$PULUMI_BACKEND_URL" "$PULUMI_CONFIG_PASSPHRASE_FILE"');
  assert.deepEqual(printed.trim().split("\n"), [odd, "file:///tmp/it%27s%20100%25%20%C3%BC/.local/backend", `${odd}/.local/passphrase`]);
});

test("sourced twice by a plain POSIX shell, PATH does not grow, and the folder of the tools comes first", () => {
  const text = bash("env_text");
  const out = execFileSync("sh", ["-c", `${text}\n${text}\nprintf '%s\\n' "$PATH"; printf '%s' "\${PULUMI_CONFIG_PASSPHRASE-unset}"`], {
    env: { PATH: "/usr/bin:/bin", PULUMI_CONFIG_PASSPHRASE: "another project's" },
    encoding: "utf8",
  });
  assert.deepEqual(out.split("\n"), [`${odd}/.local/bin:/usr/bin:/bin`, "unset"]);
});

test("every problem is reported, each with its code and fix, and set-up ends with an error", () => {
  const out = bash('row tool 1 there found; problem SETUP_A "first" "mend it" found wanted; problem SETUP_B "second" "mend that"; (finish) 2>&1 || echo "rc=$?"');
  for (const part of ["error[SETUP_A]: first", "  found:    found", "  expected: wanted", "  fix:      mend it", "error[SETUP_B]: second", "2 problem(s)", "rc=1"]) {
    assert.ok(out.includes(part), `${part} in:\n${out}`);
  }
});

test("the second run says that everything is there", () => {
  assert.match(bash("row tool 1 there found; finish"), /Everything is there[^]*pulumi up/);
  assert.match(bash("by_hand='pulumi preview'; row tool 1 there 'installed: x'; finish"), /Ready after[^]*pulumi preview/);
});

test("a downloaded Pulumi is taken only with the published checksum", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "download-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const release = `
    system=$(uname -m); arch=\${system/x86_64/x64}; arch=\${arch/aarch64/arm64}
    archive=pulumi-v$pulumi_version-linux-$arch.tar.gz
    mkdir -p "$root/server/pulumi" "$local_dir"; touch "$root/server/pulumi/pulumi"; tar -C "$root/server" -czf "$root/server/$archive" pulumi
    (cd "$root/server" && sha256sum "$archive" | sed "$1" >"pulumi-$pulumi_version-checksums.txt")
    download() { cp "$root/server/\${1##*/}" "$2"; }
    if download_pulumi 2>/dev/null; then echo taken; else echo refused; fi; cd "$local_dir"; echo pulumi-cli*/*; cat download.log`;
  const taken = (name: string, edit: string) => {
    const root = join(folder, name);
    return bash(`set -- '${edit}'; ${release}`, { root, local_dir: join(root, ".local") }).trim();
  };
  assert.equal(taken("good", ""), "taken\npulumi-cli/pulumi");
  assert.match(taken("bad", "s/^......../00000000/"), /^refused\npulumi-cli\*\/\*\npulumi-v.*: FAILED/);
});

test("arguments that set-up cannot use are refused before anything is done", () => {
  const wrong = [["--test"], ["--flavor"], ["--flavor", "never"], ["--flavor", "../locks"], ["--file", "/never/there"], ["--flavor", "sample", "--file", ""]];
  for (const args of wrong) {
    assert.throws(() => execFileSync("bash", [join(infra, "setup.sh"), ...args], { encoding: "utf8", stdio: "pipe" }), /^Error: .*\nerror\[SETUP_USAGE\]/, args.join(" "));
  }
});

test("SETUP_USAGE: everything wrong with what is given by hand is told at once", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "given-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const args = ["--flavor", "pypi", "--file", "/never/there", "--source", "comfyui", "--source", `comfyui=${folder}`, "--source", "comfyui=/never/here", "--source", `torch=${folder}`];
  const { stderr } = spawnSync("bash", [join(infra, "setup.sh"), ...args], { encoding: "utf8" });
  const found = [...stderr.matchAll(/^error\[SETUP_USAGE\]: (.*)\n {2}found: {4}(.*)$/gm)].map(([, problem, what]) => `${problem}: ${what}`);
  assert.deepEqual(found, [
    "a file cannot be read: /never/there",
    "--source says no folder for a name: comfyui",
    "a source is given twice: comfyui",
    "a checkout is no folder: /never/here",
    "flavor pypi has nothing of this name from git: torch",
  ]);
});

test("SETUP_UV_FAILED: pip cannot bring uv; where it can, it is the pinned one", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "uv-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const out = bash('root=${infra%/*}; mkdir -p "$local_dir/bin"; setup_uv; (finish) 2>&1 || echo "rc=$?"; ls "$local_dir"', { infra, local_dir: folder, PIP_NO_INDEX: "1", PIP_FIND_LINKS: folder });
  for (const part of ["error[SETUP_UV_FAILED]: uv could not be installed", "No matching distribution found for uv", "missing", "rc=1", "\nbin\nuv.log\n"]) assert.ok(out.includes(part), `${part} in:\n${out}`);
  const pinned = /^uv==(\S+)/m.exec(readFileSync(join(infra, "setup/uv/requirements.txt"), "utf8"))?.[1] ?? "";
  assert.match(execFileSync(join(infra, "../.local/bin/uv"), ["--version"], { encoding: "utf8" }), new RegExp(`^uv ${pinned.replaceAll(".", "\\.")}\\b`));
});

test("the plugin that set-up installs is the one that the program asks for", () => {
  const { dependencies } = JSON.parse(readFileSync(join(infra, "../package.json"), "utf8")) as { dependencies: Record<string, string> };
  assert.equal(bash('printf %s "$command_version"'), dependencies["@pulumi/command"]);
});

test("the lock files name no host of packages", () => {
  for (const file of ["../package-lock.json", "setup/node/package-lock.json"]) {
    const { packages } = JSON.parse(readFileSync(join(infra, file), "utf8")) as { packages: Record<string, { integrity?: string; resolved?: string }> };
    for (const [name, { resolved, integrity }] of Object.entries(packages)) {
      assert.equal(resolved, undefined, name);
      assert.ok(name === "" || integrity !== undefined, `${name} has a hash`);
    }
  }
});
