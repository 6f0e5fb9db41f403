/**
 * The stand-in for version 1.2.1 of Pulumi's `command` plugin, where that cannot be had: the same types, inputs, state and
 * differences, so that a state goes from one to the other with nothing run again.
 */
import { randomBytes } from "node:crypto";
import type { IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import plugins from "@pulumi/pulumi/proto/plugin_pb.js";
import messages, { type DiffResponse, type PropertyDiff } from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { unary } from "../serve.ts";
import { copyToRemote } from "./copy-to-remote.ts";
import { type Change, changes } from "./diff.ts";
import { localCommand } from "./local-command.ts";
import type { Log } from "./log.ts";
import { fromStruct, type Properties, toStruct, UNKNOWN_STRING } from "./properties.ts";
import { remoteCommand } from "./remote-command.ts";
import type { Resource, Work } from "./resource.ts";
import { hiding } from "./secrets.ts";

const VERSION = "1.2.1";

/** What the official plugin's framework writes into the state of a provider; another value would be a change of it. */
const FRAMEWORK: Properties = { "__pulumi-go-provider-version": "1.2.0" };

const resources: ReadonlyMap<string, Resource> = new Map([
  ["command:local:Command", localCommand],
  ["command:remote:Command", remoteCommand],
  ["command:remote:CopyToRemote", copyToRemote],
]);

function resourceOf({ type, urn }: { readonly type: string; readonly urn: string }): Resource {
  const resource = resources.get(type);
  if (resource !== undefined) return resource;
  const known = [...resources.keys()].join(", ");
  throw new Error(`${urn}: ${type} is no type that this project's stand-in for Pulumi's command plugin knows; it knows ${known}`);
}

/** `log`: of a resource. */
export function provider(log: (urn: string) => Log): Partial<IResourceProviderServer> {
  const cancelled = new AbortController();

  const workOn = (urn: string, inputs: Properties, seconds: number): Work => {
    const limit = seconds > 0 ? AbortSignal.timeout(seconds * 1000) : undefined;
    const signal = AbortSignal.any([cancelled.signal, ...(limit ? [limit] : [])]);
    return { log: log(urn), hide: hiding(inputs), signal, limit };
  };

  return {
    getPluginInfo: unary(() => {
      const answer = new plugins.PluginInfo();
      answer.setVersion(VERSION);
      return answer;
    }),
    checkConfig: unary((request) => {
      const answer = new messages.CheckResponse();
      answer.setInputs(toStruct({ ...fromStruct(request.getNews()), ...FRAMEWORK }));
      return answer;
    }),
    configure: unary(() => {
      const answer = new messages.ConfigureResponse();
      answer.setAcceptsecrets(true);
      answer.setAcceptresources(true);
      answer.setSupportspreview(true);
      return answer;
    }),
    check: unary((request) => {
      const resource = resourceOf(request.toObject());
      const inputs = fromStruct(request.getNews());
      const answer = new messages.CheckResponse();
      answer.setInputs(toStruct(resource.filled(inputs)));
      for (const { property, reason } of resource.problems(inputs)) {
        const failure = new messages.CheckFailure();
        failure.setProperty(property);
        failure.setReason(`${property} ${reason}`);
        answer.addFailures(failure);
      }
      return answer;
    }),
    diff: unary((request) => differences(fromStruct(request.getOldInputs()), fromStruct(request.getNews()))),
    create: unary(async (request) => {
      const [resource, inputs] = [resourceOf(request.toObject()), fromStruct(request.getProperties())];
      const create = () => resource.create(inputs, workOn(request.getUrn(), inputs, request.getTimeout()));
      const outputs = request.getPreview() ? unknown(resource) : await create();
      const answer = new messages.CreateResponse();
      answer.setId(`${resource.named ? request.getName() : ""}${randomBytes(4).toString("hex")}`);
      answer.setProperties(toStruct({ ...inputs, ...outputs }));
      return answer;
    }),
    update: unary(async (request) => {
      const [resource, inputs] = [resourceOf(request.toObject()), fromStruct(request.getNews())];
      const update = () => resource.update(inputs, fromStruct(request.getOlds()), workOn(request.getUrn(), inputs, request.getTimeout()));
      const outputs = request.getPreview() ? unknown(resource) : await update();
      const answer = new messages.UpdateResponse();
      answer.setProperties(toStruct({ ...inputs, ...outputs }));
      return answer;
    }),
    delete: unary(async (request) => {
      const state = fromStruct(request.getProperties());
      await resourceOf(request.toObject()).delete(state, workOn(request.getUrn(), state, request.getTimeout()));
      return new empty.Empty();
    }),
    // Nobody can look at what a command made: it is taken to be there.
    read: unary((request) => {
      const answer = new messages.ReadResponse();
      answer.setId(request.getId());
      answer.setProperties(request.getProperties());
      answer.setInputs(request.getInputs());
      return answer;
    }),
    cancel: unary(() => {
      cancelled.abort();
      return new empty.Empty();
    }),
  };
}

/** What a preview knows of the outputs of a resource that will be worked on. */
function unknown({ outputs }: Resource): Properties {
  return Object.fromEntries(outputs.map((name) => [name, UNKNOWN_STRING]));
}

function differences(old: Properties, now: Properties): DiffResponse {
  const found = changes(ownInputs(old), ownInputs(now));
  const answer = new messages.DiffResponse();
  const { DiffChanges } = messages.DiffResponse;
  answer.setChanges(found.size > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE);
  answer.setHasdetaileddiff(true);
  for (const [path, change] of found) {
    const difference = new messages.PropertyDiff();
    difference.setKind(kinds[change][path === "triggers" ? "replace" : "update"]);
    answer.getDetaileddiffMap().set(path, difference);
  }
  answer.setDiffsList([...new Set([...found.keys()].map((path) => /^\w*/.exec(path)?.[0] ?? path))]);
  answer.setReplacesList(found.has("triggers") ? ["triggers"] : []);
  return answer;
}

const { Kind } = messages.PropertyDiff;
const kinds: Readonly<Record<Change, { readonly update: PropertyDiff.Kind; readonly replace: PropertyDiff.Kind }>> = {
  add: { update: Kind.ADD, replace: Kind.ADD_REPLACE },
  delete: { update: Kind.DELETE, replace: Kind.DELETE_REPLACE },
  update: { update: Kind.UPDATE, replace: Kind.UPDATE_REPLACE },
};

/** The engine's own notes among the inputs are no inputs. */
function ownInputs(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => name !== "version" && !name.startsWith("__")));
}
