/** What a stack on AWS says when it is destroyed, under the real engine; commands stand in for what AWS would have. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CHECKOUT } from "../support/checkout.ts";
import { SmallProgram } from "../support/small-program.ts";

const PROGRAM = `import * as command from "@pulumi/command";
import { sayWhatStays } from "${CHECKOUT}/infra/aws/kept.ts";
const made = (name, options, stdin) => new command.local.Command(name, { create: "cat", stdin, delete: "echo was deleted: " + name + " >&2", logging: command.local.Logging.Stderr }, options);
const zone = made("zone", {}, "a");
const volume = made("volume", { protect: true }, zone.stdout);
const instance = made("instance", {}, zone.stdout);
made("attachment", { dependsOn: [instance] }, volume.stdout);
const costs = [{ what: "build host, disk for /nix, 200 GiB", perHour: 0, perMonth: 16, kept: true }, { what: "address", perHour: 0, perMonth: 4, kept: false }];
sayWhatStays("comfyui-kept", { place: { region: "us-east-1", stack: "dev" }, estimate: { costs }, repository: undefined, bucket: undefined, signingKey: undefined, snapshots: false });
`;

let program: SmallProgram;
before(async () => {
  program = await SmallProgram.create(PROGRAM, ["tell.ts"]);
});
after(() => program[Symbol.dispose]());

async function left(): Promise<string[]> {
  const { stdout } = await program.pulumi(["stack", "export"]);
  const { deployment } = JSON.parse(stdout) as { deployment: { resources?: { urn: string; type: string }[] } };
  return (deployment.resources ?? []).filter(({ type }) => type === "command:local:Command").map(({ urn }) => urn.split("::").at(-1) as string).sort();
}

test("destroy stops before anything at what is protected; without it, a terminal shows in the end what stays and what that costs", async () => {
  assert.equal((await program.pulumi(["up", "--yes", "--skip-preview"])).code, 0);
  const refused = await program.pulumi(["destroy", "--yes"]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stdout, /::volume" cannot be deleted\n *because it is protected/);
  assert.deepEqual(await left(), ["attachment", "comfyui-kept", "instance", "volume", "zone"]);

  const shown = await program.onTerminal(["destroy", "--yes", "--skip-preview", "--exclude-protected"]);
  assert.match(shown, /\nDiagnostics:\n[^]*STAYS ON AWS +USD A MONTH\n +build host, disk for \/nix, 200 GiB +16\.00\n[^]*pulumi state unprotect --all --stack dev && pulumi destroy --stack dev\n[^]*Resources:\n/);
  assert.deepEqual(await left(), ["volume", "zone"]);
});

test("an up takes what stayed up again; a log has the words too; then the printed command deletes it all", async () => {
  const up = await program.pulumi(["up", "--yes", "--skip-preview"]);
  assert.match(up.stdout, /\+ 3 created\n/);
  assert.doesNotMatch(up.stdout, /STAYS ON AWS/);
  const { stdout } = await program.pulumi(["destroy", "--yes", "--skip-preview", "--exclude-protected"]);
  assert.match(stdout, /Diagnostics:\n[^]*build host, disk for \/nix, 200 GiB +16\.00\n/);
  assert.equal((await program.pulumi(["state", "unprotect", "--all", "--yes"])).code, 0);
  const all = await program.pulumi(["destroy", "--yes", "--skip-preview"]);
  assert.match(all.stdout, /was deleted: volume/);
  assert.deepEqual(await left(), []);
});
