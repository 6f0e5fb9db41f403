/** What must be right before any test can mean something. */
import assert from "node:assert/strict";
import { accessSync, constants, readFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { test } from "node:test";
import { CHECKOUT, projectFiles } from "./support/checkout.ts";
import { run } from "./support/process.ts";

/** The real parts that the tests run; each must be there, or the tests would prove less than they say. */
const ENGINES = [
  "pulumi", "nix", "nix-store", "dockerd", "docker", "containerd", "runc", "docker-registry", "skopeo", "umoci", "jq", "zstd",
  "git", "uv", "flock", "unshare", "nsenter", "setpriv", "ip", "apt-get", "dpkg-deb", "gpg",
];

function isProgram(name: string): boolean {
  // dockerd and runc lie in sbin, which a user's PATH may lack.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

test("every engine that the tests use is there", () => {
  assert.deepEqual(ENGINES.filter((name) => !isProgram(name)), [], "missing programs: run 'bash infra/setup.sh --tests'");
});

test("the types are right (tsc)", async () => {
  await run(join(CHECKOUT, "node_modules/.bin/tsc"), ["--noEmit"], { cwd: CHECKOUT });
});

test("the shell scripts are right (shellcheck)", async () => {
  const scripts = (await projectFiles(CHECKOUT)).filter((file) => file.endsWith(".sh"));
  const texts = new Map(scripts.map((file) => [file, readFileSync(join(CHECKOUT, file), "utf8")]));
  // Parts that are only sourced make sense within the script that sources them, and are checked there (-a).
  const whole = scripts.filter((file) => /^(#!|# shellcheck shell=)/.test(texts.get(file) ?? ""));
  const orphans = scripts.filter((file) => !whole.includes(file) && !whole.some((other) => texts.get(other)?.includes(basename(file))));
  assert.deepEqual(orphans, [], "no script sources these, so nothing checks them");
  await run("shellcheck", ["-x", "-a", ...whole], { cwd: CHECKOUT });
});
