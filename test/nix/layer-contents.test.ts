/** What a layer's contents may be made of. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Sandbox } from "../support/sandbox.ts";
import { warmSandbox } from "../support/warm.ts";

const CHOICES = "layers/flavors/sample";

let sandbox: Sandbox;
before(async () => {
  sandbox = await warmSandbox();
});
after(() => sandbox.stop());

/** What the build of a layer says once its choices are others. */
async function errorWith<C>(layer: string, change: (choices: C) => object): Promise<string> {
  const file = sandbox.host(`${CHOICES}/${layer}.json`);
  const text = readFileSync(file, "utf8");
  writeFileSync(file, JSON.stringify(change(JSON.parse(text) as C)));
  try {
    const { code, stderr } = await sandbox.run("nix", ["build", "--no-link", "--print-build-logs", `path:./layers#${layer}`], { allowFailure: true });
    assert.notEqual(code, 0);
    return stderr;
  } finally {
    writeFileSync(file, text);
  }
}
const withProgram = (name: string) => (choices: { programs: string[] }) => ({ ...choices, programs: [...choices.programs, name] });

test("a package without programs is no program", async () => {
  assert.match(await errorWith("layer0-base", withProgram("tzdata")), /\S+-tzdata-\S+ is no package with programs/);
});

test("two packages with one command end the build, with both paths", async () => {
  assert.match(await errorWith("layer0-base", withProgram("bash")), /two packages of this layer bring bin\/bash: \S+-bash-\S+ and \S+-bash-\S+\/bin\/bash/);
});

test("a library to link against that the wheels have no more ends the build", async () => {
  const error = await errorWith("layer3-pytorch", () => ({ cuda: { libraries: [], link: ["nvidia/cu13/lib/libcudart.so.13"] } }));
  assert.match(error, /lib\/libcudart\.so is to be a link to \/nix\/store\/\S+-layer3-pytorch-site\/\S+\/libcudart\.so\.13, which is not there/);
});
