/** The whole program as a stack runs it, on this machine or with machines of its own, without those and without an engine. */
import { type Answers, type Registered, runMocked } from "./mocked-program.ts";

/** What the scripts answer that others read. */
const stdout: Readonly<Record<string, object>> = {
  "comfyui-host": { nix: "nix (Nix) 2.34.8", system: "x86_64-linux", builderKey: "ssh-ed25519 BUILDER" },
  "comfyui-cache": { location: "http://cache.example", publicKey: "k", pushKey: "ssh-ed25519 PUSH" },
  "comfyui-publish-image": { reference: "docker://registry.example/comfyui:tag", tag: "tag", digest: "sha256:0", size: 1, status: "published", sentBytes: 1, skippedBytes: 0, seconds: 1 },
};

function layerAnswer(name: string): object {
  return { layer: name, fingerprint: "f", storePath: "/nix/store/x", blobs: [], seconds: 1, built: 0, substituted: 0, reused: true, cached: true, startedAt: "", endedAt: "", log: "" };
}

function ran({ name }: { readonly name: string }) {
  return { state: { stdout: JSON.stringify(stdout[name] ?? layerAnswer(name)), stderr: "" } };
}

const plain = () => ({});
const answers: Answers = {
  resources: {
    "command:remote:Command": ran,
    "command:local:Command": ran,
    "command:remote:CopyToRemote": plain,
    "pulumi:providers:docker": plain,
    "docker:index/remoteImage:RemoteImage": plain,
    "docker:index/container:Container": plain,
  },
  calls: {},
};

let runs = 0;

/** What the program declares with this configuration, all of it kept as secrets; by name. */
export async function declaredBy(sections: Readonly<Record<string, unknown>>): Promise<ReadonlyMap<string, Registered>> {
  const config = Object.fromEntries(Object.entries(sections).map(([key, value]) => [`comfyui:${key}`, JSON.stringify(value)]));
  // Another query is another module: the program runs each time.
  const { resources } = await runMocked(() => import(`../../infra/index.ts?remote-${++runs}`), { stack: "dev", config, secretKeys: Object.keys(config), answers });
  return new Map(resources.map((each) => [each.name, each]));
}
