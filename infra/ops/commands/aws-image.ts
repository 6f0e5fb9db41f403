import { hostImages } from "../aws.ts";
import type { OpsCommand } from "../command.ts";
import { readStackConfig, stackName, stackOption, type StackOption } from "../stack.ts";

export const awsImage: OpsCommand<[], StackOption> = {
  name: "aws image",
  summary: "the AMIs that new hosts of the stack would start from now, and how to take them",
  description: "A host keeps its own until the configuration names another.",
  examples: [["aws image --stack team", "the newest ones"]],
  options: stackOption,
  async run(_args, options, context) {
    const { root, tell } = context;
    const images = await hostImages(root, await readStackConfig(root, await stackName(options, context)), tell);
    for (const { where, parameter, id } of images) tell(parameter === undefined ? `${where}: the configuration names this one` : `${where}: ${parameter} is ${id} now`);
    return { json: images, text: images.map(({ where, id, user }) => yamlOf(where, id, user)).join("\n") };
  },
};

function yamlOf(where: string, id: string, user: string): string {
  return [`# in comfyui:${where}`, "ami:", "  kind: id", `  id: ${id}`, `  user: ${user}`].join("\n");
}
