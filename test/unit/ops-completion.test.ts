/** Completion of the operators' commands in real shells. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runOps } from "../../infra/ops/program.ts";
import { opsContext } from "../support/ops-context.ts";

// A folder with what a shell could take for more than a name.
const root = join(mkdtempSync(join(tmpdir(), "comfyui-completion-")), "it's a folder");
after(() => rmSync(root, { recursive: true }));
mkdirSync(join(root, "stacks"), { recursive: true });
for (const stack of ["dev", "team"]) writeFileSync(join(root, `stacks/Pulumi.${stack}.yaml`), "");

let script = "";
await runOps(["completion"], opsContext({ root, show: (text) => (script += text) }));
const file = join(root, "completion");
writeFileSync(file, script);

/** What bash offers behind the words; the last one is what is begun. */
function offered(...words: string[]): string[] {
  const line = `. "$1"; COMP_WORDS=(ops ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _comfyui_ops; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["--norc", "-c", line, "bash", file], { encoding: "utf8" }).split("\n").filter(Boolean).sort();
}

test("bash: commands, options, stacks", () => {
  assert.ok(offered("").includes("host"));
  assert.deepEqual(offered("ho"), ["host"]);
  assert.deepEqual(offered("host", ""), ["bootstrap", "key"]);
  assert.deepEqual(offered("host", "key", "a.example", "--j"), ["--json", "--jump", "--jump-key"]);
  assert.deepEqual(offered("host", "bootstrap", "build", "--stack", ""), ["dev", "team"]);
  assert.deepEqual(offered("builds", ""), ["--help", "--json", "--last", "--stack", "follow", "stop"]);
  assert.deepEqual(offered("builds", "follow", "--"), ["--help", "--json", "--stack"]);
  assert.deepEqual(offered("completion", "--"), ["--help", "--json"]);
  assert.deepEqual(offered("nothing", "of", "this"), []);
});

/** What zsh's own completion system asks for behind the words; it keeps of that what fits what is begun. */
function offeredToZsh(...words: string[]): string[] {
  const line = `. "$1"; words=(ops ${words.map((word) => `'${word}'`).join(" ")}); CURRENT=$#words; COMP_WORDS=("\${words[@]}"); COMP_CWORD=$((CURRENT - 1)); compgen -F _comfyui_ops`;
  return execFileSync("zsh", ["-f", "-c", line, "zsh", file], { encoding: "utf8" }).split("\n").filter(Boolean).sort();
}

test("zsh: commands, options, stacks", () => {
  assert.ok(offeredToZsh("ho").includes("host"));
  assert.deepEqual(offeredToZsh("host", ""), ["bootstrap", "key"]);
  assert.ok(offeredToZsh("host", "key", "a.example", "--j").includes("--jump-key"));
  assert.deepEqual(offeredToZsh("host", "bootstrap", "build", "--stack", ""), ["dev", "team"]);
});

test("`ops` runs the commands of its checkout, from any folder", () => {
  const checkout = join(root, "checkout");
  mkdirSync(join(checkout, ".local"), { recursive: true });
  mkdirSync(join(checkout, "infra"));
  writeFileSync(join(checkout, ".local/env.sh"), "export SOURCED=yes\n");
  writeFileSync(join(checkout, "infra/ops.ts"), "console.log(process.env.SOURCED, process.argv.slice(2).join())\n");
  writeFileSync(file + "-2", script.replaceAll(root.replaceAll("'", "'\\''"), checkout.replaceAll("'", "'\\''")));
  assert.equal(execFileSync("bash", ["-c", '. "$1"; cd /; ops cache gc "a b"', "bash", `${file}-2`], { encoding: "utf8" }), "yes cache,gc,a b\n");
});
