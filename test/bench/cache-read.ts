/** Reading from a cache host as the bootstrap makes it, each server behind Caddy, against a plain file from the same Caddy. */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeSigningKey, startCacheHost } from "../support/cache-host.ts";
import { needRealServers, type Server } from "../support/cache-servers.ts";
import { HostNetwork } from "../support/host-network.ts";
import { run, type RunOptions } from "../support/process.ts";
import { type Bench, type Comparison, inTurn, type Part } from "./comparison.ts";

const NIX_CONFIG = "experimental-features = nix-command flakes\nsubstituters =\nbuild-users-group =\n";
const nix = (args: readonly string[], options: RunOptions = {}) => run("nix", args, { ...options, env: { ...(process.env as Record<string, string>), NIX_CONFIG, ...options.env } });

/** Files that no compression makes smaller, as PyTorch's libraries hardly are, each a store path, in a store of their own; signed. */
async function signedPaths(store: string, files: readonly string[], keyFile: string): Promise<string[]> {
  const paths: string[] = [];
  for (const file of files) paths.push((await nix(["store", "add-file", "--store", store, file])).stdout.trim());
  await nix(["store", "sign", "--store", store, "--key-file", keyFile, ...paths]);
  return paths;
}

const PATHS = 10;

async function read(server: Server, network: HostNetwork, folder: string, { quick, runs }: Bench): Promise<Comparison[]> {
  const megabytes = quick ? 100 : 500;
  const key = await makeSigningKey(folder, `bench-${server}`);
  const big = join(folder, "big");
  await run("sh", ["-c", `cd "$0" && head -c ${megabytes}000000 /dev/urandom >big && split -n ${PATHS} -d big part`, folder]);
  const [store, into] = [join(folder, "store"), join(folder, "into")];
  const one = await signedPaths(store, [big], key.file);
  const several = await signedPaths(store, Array.from({ length: PATHS }, (_, at) => join(folder, `part${`${at}`.padStart(2, "0")}`)), key.file);
  const { machine, push } = await startCacheHost(network, { server, key });
  const NIX_SSHOPTS = (await machine.sshArguments(push.file)).join(" ");
  await nix(["copy", "--from", store, "--to", `ssh://comfyui-push@${machine.address}`, ...one, ...several], { env: { NIX_SSHOPTS } });
  await machine.bash("mkdir -p /srv/plain && cat >/srv/plain/big", { input: await readFile(big) });
  await machine.bash("setsid caddy file-server --listen :8081 --root /srv/plain >/dev/null 2>&1 & sleep 1");
  const plain = `http://${machine.address}:8081/big`;
  const fresh = (args: readonly string[]) => async () => {
    await run("sh", ["-c", 'chmod -R u+w "$0" 2>/dev/null; rm -rf "$0"', into]);
    return megabytes / (await nix(args)).seconds;
  };
  const ours = (paths: readonly string[]) => fresh(["copy", "--from", `http://${machine.address}`, "--to", into, "--option", "trusted-public-keys", key.public, ...paths]);
  const curl = async () => megabytes / (await run("curl", ["-sSf", "-o", join(folder, "plain"), plain])).seconds;
  const againstCurl = await inTurn(runs, ours(several), curl);
  const oneAgainstCurl = await inTurn(runs, ours(one), curl);
  const oneAgainstNix = await inTurn(runs, ours(one), fresh(["store", "prefetch-file", "--store", into, plain]));
  await machine.stop();
  const what = `reading ${megabytes} MB from the cache (${server})`;
  const command = "nix copy --from http://CACHE --to FRESH_STORE PATH...";
  const byCurl = "curl -o FILE http://CACHE:8081/big (Caddy's file server)";
  const note = "Nix also verifies hash and signature, and writes the path into a store.";
  return [
    {
      what, unit: "MB/s",
      ours: { command, figures: againstCurl.ours },
      theirs: { command: byCurl, figures: againstCurl.theirs },
      ...(server === "harmonia" && { goal: { atLeast: 0.8 } }),
      note: `${PATHS} paths, of which Nix takes several at a time, as of a layer's closure; one file against them. ${note}`,
    },
    {
      what: `${what}, in one path`, unit: "MB/s",
      ours: { command, figures: oneAgainstCurl.ours },
      theirs: { command: byCurl, figures: oneAgainstCurl.theirs },
      note,
    },
    {
      what: `${what}, in one path, against Nix with the plain file`, unit: "MB/s",
      ours: { command, figures: oneAgainstNix.ours },
      theirs: { command: "nix store prefetch-file --store FRESH_STORE http://CACHE:8081/big", figures: oneAgainstNix.theirs },
      note: "What Nix itself makes of a file by HTTP.",
    },
  ];
}

export const cacheRead: Part = {
  name: "cache-read",
  async measure(bench) {
    // Those of the tests say nothing about speed.
    needRealServers();
    const network = await HostNetwork.start();
    const folder = await mkdtemp(join(tmpdir(), "comfyui-bench-"));
    try {
      const comparisons: Comparison[] = [];
      for (const server of ["harmonia", "nix-serve"] as const) {
        bench.say(`reading from ${server}`);
        const own = join(folder, server);
        await run("mkdir", [own]);
        comparisons.push(...(await read(server, network, own, bench)));
      }
      return { comparisons };
    } finally {
      await network.stop();
      await run("sh", ["-c", 'chmod -R u+w "$0" && rm -rf "$0"', folder]);
    }
  },
};
