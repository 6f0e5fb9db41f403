/** The program without an engine: every resource that it declares is collected, and every call of a function is an error. */
import * as pulumi from "@pulumi/pulumi";
import * as settings from "@pulumi/pulumi/runtime/settings.js";

export interface Declared {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Names of resources. */
  readonly parent: string | undefined;
  readonly dependsOn: readonly string[];
  /** Names of what is to be called before it is created. */
  readonly hooks: readonly string[];
}

interface Request {
  getType(): string;
  getName(): string;
  getCustom(): boolean;
  getParent(): string;
  getDependenciesList(): string[];
  getHooks(): { getBeforeCreateList(): string[] } | undefined;
}

/** What the mock's monitor has of the real one, and what it lacks. */
interface Monitor {
  registerResource(request: Request, callback: unknown): Promise<void>;
  registerResourceHook(request: unknown, callback: (error: null, answer: object) => void): void;
  registerErrorHook(request: unknown, callback: (error: null, answer: object) => void): void;
}

const nameOf = (urn: string) => urn.split("::").at(-1) as string;

/** Standard output of the commands that others read. */
const answers: Readonly<Record<string, string>> = {
  "comfyui-host": JSON.stringify({ nix: "nix (Nix) 2.34.8", system: "x86_64-linux", builderKey: "ssh-ed25519 BUILDER" }),
  "comfyui-cache": JSON.stringify({ location: "http://cache.example", publicKey: "k", pushKey: "ssh-ed25519 PUSH" }),
  "comfyui-publish-image": JSON.stringify({ reference: "oci:/images:tag", tag: "tag", digest: "sha256:0", size: 1, status: "published", sentBytes: 1, skippedBytes: 0, seconds: 1 }),
};

function layerAnswerOf(name: string): string {
  return JSON.stringify({ layer: name, fingerprint: "f", storePath: "/nix/store/x", blobs: [], seconds: 1, built: 0, substituted: 0, reused: true, cached: true, startedAt: "", endedAt: "", log: "" });
}

let runs = 0;

/** Runs the whole program with this configuration, all of it kept as secrets, and answers what it declares. */
export async function declaredBy(config: Readonly<Record<string, unknown>>): Promise<Declared[]> {
  const declared = await collectResources();
  const sections = Object.keys(config).map((key) => `comfyui:${key}`);
  pulumi.runtime.setAllConfig(Object.fromEntries(Object.entries(config).map(([key, value]) => [`comfyui:${key}`, JSON.stringify(value)])));
  process.env["PULUMI_CONFIG_SECRET_KEYS"] = JSON.stringify(sections);
  // Another query is another module: the program runs each time.
  const { run, layers } = (await import(`../../infra/index.ts?${++runs}`)) as { run: pulumi.Output<unknown>; layers: pulumi.Output<unknown> };
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  // An output that cannot be had is otherwise waited for in vain.
  process.once("unhandledRejection", reject);
  pulumi.all([run, layers]).apply(resolve);
  await promise.finally(() => process.off("unhandledRejection", reject));
  return declared;
}

async function collectResources(): Promise<Declared[]> {
  const declared: Declared[] = [];
  const inputsOf = new Map<string, Record<string, unknown>>();
  await pulumi.runtime.setMocks(
    {
      newResource({ name, inputs }) {
        inputsOf.set(name, inputs as Record<string, unknown>);
        return { id: name, state: { ...inputs, stdout: answers[name] ?? layerAnswerOf(name), stderr: "" } };
      },
      call({ token }) {
        throw new Error(`Mock call not implemented: ${token}`);
      },
    },
    "comfyui",
    "dev",
  );
  const monitor = settings.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = async (request, callback) => {
    await register(request, callback);
    declared.push({
      type: request.getType(),
      name: request.getName(),
      inputs: inputsOf.get(request.getName()) ?? {},
      parent: request.getParent() === "" ? undefined : nameOf(request.getParent()),
      dependsOn: request.getDependenciesList().map(nameOf),
      hooks: request.getHooks()?.getBeforeCreateList() ?? [],
    });
  };
  monitor.registerResourceHook = monitor.registerErrorHook = (_request, callback) => callback(null, {});
  return declared;
}

/** The secret's plain value; fails where the value is none. */
export function revealed(value: unknown): unknown {
  const { [pulumi.runtime.specialSigKey]: signature, value: plain } = value as Record<string, unknown>;
  if (signature !== pulumi.runtime.specialSecretSig) throw new Error(`this is no secret: ${JSON.stringify(value)}`);
  return plain;
}
