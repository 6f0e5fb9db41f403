/**
 * Stands in for Pulumi's own language host for Node.js, which no package registry has: the engine starts it, asks which plugins
 * the program wants, and has it run the program. Does what this project's program needs; the rest is answered with
 * "unimplemented". Started by a script `pulumi-language-nodejs` beside the engine.
 */
import grpc from "@grpc/grpc-js";
import { type ILanguageRuntimeServer, LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import protobuf from "google-protobuf/google/protobuf/empty_pb.js";
import { FaultError, formatFault } from "../../faults.ts";
import { sdkVersion } from "../sdk.ts";
import { engineAddress, serve, unary } from "../serve.ts";
import { programDependencies } from "./dependencies.ts";
import { pluginNeeds } from "./packages.ts";
import { type Outcome, programInfo, runProgram } from "./program.ts";

const engine = engineAddress();
/** The engine gives everything up: it was interrupted. */
const cancelled = new AbortController();

function packagesAnswer(folder: string): language.GetRequiredPackagesResponse {
  const packages = pluginNeeds(folder).map(({ name, version, server }) => {
    return new plugin.PackageDependency().setName(name).setKind("resource").setVersion(version).setServer(server);
  });
  return new language.GetRequiredPackagesResponse().setPackagesList(packages);
}

/** A fault of what was asked is how the run ended, not how the call did: the engine then shows it as it is. */
async function run(request: language.RunRequest, signal: AbortSignal): Promise<Outcome> {
  try {
    return await runProgram(request, engine, AbortSignal.any([signal, cancelled.signal]));
  } catch (error) {
    if (error instanceof FaultError) return { error: `\n${error.message}` };
    throw error;
  }
}

const methods: Partial<ILanguageRuntimeServer> = {
  // By whose runner the program runs.
  getPluginInfo: unary(() => new plugin.PluginInfo().setVersion(sdkVersion())),
  getRequiredPackages: unary((request) => packagesAnswer(programInfo(request).getProgramDirectory())),
  run: unary(async (request, signal) => {
    const { error = "", bail = false } = await run(request, signal);
    return new language.RunResponse().setError(error).setBail(bail);
  }),
  about: unary(() => new language.AboutResponse().setExecutable(process.execPath).setVersion(process.version)),
  getProgramDependencies: unary((request) => {
    const found = programDependencies(programInfo(request).getProgramDirectory(), request.getTransitivedependencies());
    const list = found.map(({ name, version }) => new language.DependencyInfo().setName(name).setVersion(version));
    return new language.GetProgramDependenciesResponse().setDependenciesList(list);
  }),
  // Other methods that are not here have no words; this one is asked for by a person.
  installDependencies: (call) => {
    const problem = "this project's language host installs no packages";
    const details = formatFault({ code: "PLUGIN_LIMIT", where: "pulumi install", problem, fix: "npm ci, or this project's set-up" });
    call.emit("error", { code: grpc.status.UNIMPLEMENTED, details });
  },
  cancel: unary(() => {
    cancelled.abort();
    return new protobuf.Empty();
  }),
};

await serve(engine, LanguageRuntimeService, methods);
