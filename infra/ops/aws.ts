/** What operators ask AWS for, by the scripts of infra/hosts/aws on this machine. */
import { z } from "zod";
import { type AmiSource, defaultAmi, type System, systemOf } from "../aws/defaults.ts";
import type { StackConfig } from "../config.ts";
import { FaultError } from "../faults.ts";
import { runScript } from "./script.ts";

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

function script<T>(root: string, name: string, request: Readonly<Record<string, string>>, answer: z.ZodType<T>, tell: (line: string) => void): Promise<T> {
  return runScript(answer, { here: root }, { script: `aws/${name}`, request, tell });
}
