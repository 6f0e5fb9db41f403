/** Runs a Pulumi program without an engine: every resource is recorded, and what nobody said an answer for is an error. */
import * as pulumi from "@pulumi/pulumi";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import type resource from "@pulumi/pulumi/proto/resource_pb.js";

type Inputs = Readonly<Record<string, unknown>>;

/** A resource as the program asked the engine for it. Others are named by their logical names. */
export interface Registered {
  readonly type: string;
  readonly name: string;
  readonly parent: string | undefined;
  /** Secrets are `{secret: …}`. */
  readonly inputs: Inputs;
  readonly provider: string | undefined;
  readonly protect: boolean;
  readonly dependsOn: readonly string[];
  readonly deletedWith: string | undefined;
  readonly replaceWith: readonly string[];
  readonly deleteBeforeReplace: boolean;
  readonly ignoreChanges: readonly string[];
  readonly replaceOnChanges: readonly string[];
  readonly secretOutputs: readonly string[];
  /** Names of the hooks that the engine calls before it creates the resource. */
  readonly hooks: readonly string[];
}

export interface MockedProgram {
  readonly resources: readonly Registered[];
  readonly calls: readonly { readonly token: string; readonly inputs: Inputs }[];
}

export interface Answers {
  /** What a resource has once it is made, beside its inputs; by type. A type that is not here is an error. */
  readonly resources: Readonly<Record<string, (resource: { readonly name: string; readonly inputs: Inputs }) => { readonly id?: string; readonly state?: Inputs }>>;
  /** Answers of invokes, by token. One that is not here is an error. */
  readonly calls: Readonly<Record<string, (inputs: Inputs) => Inputs>>;
}

export interface MockedOptions {
  readonly stack: string;
  readonly answers: Answers;
  /** What an engine says of the stack's configuration. */
  readonly config?: Readonly<Record<string, string>>;
  readonly secretKeys?: readonly string[];
}

const nameOf = (urn: string) => urn.split("::").at(-1) as string;

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (value === null || typeof value !== "object") return value;
  const fields = value as Record<string, unknown>;
  if (fields[pulumi.runtime.specialSigKey] === pulumi.runtime.specialSecretSig) return { secret: readable(fields["value"]) };
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, readable(field)]));
}

/** What the mocks' monitor has of the real one, and what it lacks. */
interface Monitor {
  registerResource(request: resource.RegisterResourceRequest, callback: unknown): Promise<void>;
  registerResourceHook(request: unknown, callback: (error: null, answer: object) => void): void;
  registerErrorHook(request: unknown, callback: (error: null, answer: object) => void): void;
}

function registeredOf(request: resource.RegisterResourceRequest): Registered {
  const { type, name, parent, provider, protect = false, dependenciesList, deletedwith, replaceWithList, deletebeforereplace, ignorechangesList, replaceonchangesList, additionalsecretoutputsList, hooks } = request.toObject();
  const named = (urn: string) => (urn === "" ? undefined : nameOf(urn));
  return {
    type,
    name,
    parent: named(parent),
    inputs: readable(request.getObject()?.toJavaScript() ?? {}) as Inputs,
    // URN::ID.
    provider: named(provider.split("::").slice(0, -1).join("::")),
    protect,
    dependsOn: dependenciesList.map(nameOf),
    deletedWith: named(deletedwith),
    replaceWith: replaceWithList.map(nameOf),
    deleteBeforeReplace: deletebeforereplace,
    ignoreChanges: ignorechangesList,
    replaceOnChanges: replaceonchangesList,
    secretOutputs: additionalsecretoutputsList,
    hooks: hooks?.beforeCreateList ?? [],
  };
}

/** Runs it to the end of its last resource. */
export async function runMocked(program: () => Promise<unknown>, { stack, answers, config = {}, secretKeys = [] }: MockedOptions): Promise<MockedProgram> {
  const calls: { token: string; inputs: Inputs }[] = [];
  const resources: Registered[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource({ type, name, inputs, custom }) {
        if (custom === false) return { id: "", state: {} };
        const answer = answers.resources[type];
        if (answer === undefined) throw new Error(`nobody said what a ${type} (${name}) answers`);
        const { id = `${name}-id`, state = {} } = answer({ name, inputs });
        return { id, state: { ...inputs, ...state } };
      },
      call({ token, inputs }) {
        const answer = answers.calls[token];
        if (answer === undefined) throw new Error(`nobody said what the call ${token} answers`);
        calls.push({ token, inputs });
        return answer(inputs);
      },
    },
    "comfyui",
    stack,
    false,
  );
  const monitor = settings.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    resources.push(registeredOf(request));
    return register(request, callback);
  };
  // An engine calls hooks; here nothing does.
  monitor.registerResourceHook = monitor.registerErrorHook = (_request, callback) => callback(null, {});
  pulumi.runtime.setAllConfig(config as Record<string, string>, [...secretKeys]);
  process.env["PULUMI_CONFIG_SECRET_KEYS"] = JSON.stringify(secretKeys);
  await program();
  await pulumi.runtime.disconnect();
  return { resources: resources.sort((a, b) => (a.name < b.name ? -1 : 1)), calls };
}
