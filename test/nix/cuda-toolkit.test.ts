/** CUDA_HOME of flavor cu130, made of small packages in the shape of NVIDIA's: what a compiler needs, and no CUDA library. */
import assert from "node:assert/strict";
import { existsSync, globSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { searchPaths } from "../support/elf.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

let sandbox: Sandbox;
before(async () => {
  sandbox = await warmSandbox();
});
after(() => sandbox.stop());

const expression = (layout: string) => `
  let
    layers = ${sandbox.root}/layers;
    system = "x86_64-linux";
    pkgs = import (layers + "/package-sets/debian") { inherit system; platform = (import (layers + "/lib/platforms.nix")).\${system}; inputs = { }; };
    cudaPackages = import ${sandbox.root}/test/fixtures/cuda-packages.nix { inherit pkgs; layout = "${layout}"; };
  in
  builtins.head (import (layers + "/layer0-base/cuda.nix") { inherit pkgs cudaPackages; }).programs`;

for (const layout of ["one output", "six outputs"]) {
  test(`cuda_cudart in ${layout}: headers, static libraries and stubs, the compiler, and no shared library of CUDA`, async () => {
    const { stdout } = await sandbox.run("nix", ["build", "--impure", "--no-link", "--print-out-paths", "--expr", expression(layout)]);
    const home = sandbox.nix(stdout.trim());
    for (const path of ["include/cuda_runtime.h", "include/crt/host_config.h", "include/cuda/std/version", "include/cccl/cuda/std/version", "lib/libcudart_static.a", "lib64/stubs/libcuda.so.1"]) {
      assert.ok(existsSync(join(home, path)), path);
    }
    for (const program of ["bin/nvcc", "nvvm/bin/cicc"]) {
      const target = readlinkSync(join(home, program));
      assert.match(target, new RegExp(`^/nix/store/[^/]+-cuda_nvcc/${program}$`));
      assert.ok(existsSync(sandbox.nix(target)), program);
    }
    assert.equal(readFileSync(sandbox.nix(readlinkSync(join(home, "include/crt/shared.h"))), "utf8"), "upper\n", "what the compiler has goes first");
    const shared = globSync("**/*.so*", { cwd: home }).filter((path) => !path.includes("stubs/"));
    assert.deepEqual(shared, []);
    assert.deepEqual(searchPaths(join(home, "lib/stubs/libcuda.so")), {}, "a stub looks nowhere");
    assert.ok(!lstatSync(join(home, "lib/libcudart_static.a")).isSymbolicLink());
    assert.ok(!readdirSync(home).includes("nix-support"));
    const references = (await sandbox.run("nix-store", ["--query", "--references", stdout.trim()])).stdout;
    assert.match(references, /-cuda_nvcc\n/);
    assert.doesNotMatch(references, /cuda_(cudart|cccl|crt)/);
  });
}
