/** What operators ask AWS for, by the scripts of infra/hosts/aws on this machine. */
import { join } from "node:path";
import { z } from "zod";
import { parseAnswer } from "../answers.ts";
import { type AmiSource, defaultAmi, type System, systemOf } from "../aws/defaults.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { StackConfig } from "../config.ts";
import { FaultError } from "../faults.ts";
import { runProgram } from "../lock/run-program.ts";
import { protocol } from "../request.ts";

const account = z.object({ account: z.string(), bucket: z.string(), backend: z.string(), secretsProvider: z.string() });

/** Makes the bucket for the state and the key for its secrets, where they are not there. */
export function openAccount(root: string, region: string, tell: (line: string) => void): Promise<z.output<typeof account>> {
  return script(root, "account", { region }, account, tell);
}

interface HostImage {
  /** Path of the section that the host is configured in. */
  readonly where: string;
  /** None: the configuration names an AMI by its id already. */
  readonly parameter: string | undefined;
  readonly id: string;
  readonly user: string;
}

/** The AMIs that new hosts of a stack would start from now. Hosts that are there keep theirs. */
export async function hostImages(root: string, config: StackConfig, tell: (line: string) => void): Promise<HostImage[]> {
  const { aws, systems, buildHost, binaryCache } = config;
  const sources: [where: string, source: AmiSource][] = [];
  if (buildHost.kind === "ec2") sources.push(["buildHost", buildHost.ami ?? defaultAmi(systems[0] as System, buildHost.gpu)]);
  if (binaryCache.kind === "nix-serve" && binaryCache.host.kind === "ec2") sources.push(["binaryCache.host", binaryCache.host.ami ?? defaultAmi(systemOf(binaryCache.host.type), false)]);
  if (aws === undefined || sources.length === 0) {
    throw new FaultError([{ code: "OPS_ROLE", where: "comfyui:aws", problem: "the stack has no host that it makes on AWS", found: "none", expected: "a host of kind ec2" }]);
  }
  return Promise.all(
    sources.map(async ([where, source]) => {
      if (source.kind === "id") return { where, parameter: undefined, id: source.id, user: source.user };
      const { id } = await script(root, "parameter", { region: aws.region, name: source.name }, z.object({ id: z.string() }), tell);
      return { where, parameter: source.name, id, user: source.user };
    }),
  );
}

/** A script said what is wrong, in the form of a fault. */
export class ScriptFailed extends Error {}

/** Runs one; its messages go to the person, and its fault is the error. */
async function script<T>(root: string, name: string, request: Readonly<Record<string, string>>, answer: z.ZodType<T>, tell: (line: string) => void): Promise<T> {
  const { code, stdout, stderr } = await runProgram("bash", [join(root, `infra/hosts/aws/${name}.sh`)], { input: canonicalJson({ protocol, ...request }) });
  if (code !== 0) throw new ScriptFailed(stderr.trimEnd());
  for (const line of stderr.split("\n").filter(Boolean)) tell(line);
  return parseAnswer(answer, stdout);
}
