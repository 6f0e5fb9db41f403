import { InvalidArgumentError } from "commander";
import type { OpsCommand } from "../command.ts";
import { type HandRole, isHandRole, stackBootstrap } from "../stack-bootstrap.ts";
import { stackName, stackOption, type StackOption } from "../stack.ts";

export const hostBootstrap: OpsCommand<[string, string | undefined], StackOption> = {
  name: "host bootstrap <role> [number]",
  summary: "the text that sets up the stack's machine, for a person to run",
  description: `ROLE is build, cache or builder; NUMBER says which builder, from 1. The text may hold the password of the cache. Where the
configuration has \`admin\`, \`pulumi up\` sends it itself.`,
  examples: [["host bootstrap build --stack team | ssh root@HOST bash -s", "sets up the build host"]],
  options: stackOption,
  async run([role, number = "1"], options, context) {
    const stack = await stackName(options, context);
    const { address, text } = await stackBootstrap({ root: context.root, role: roleOf(role), number: numberOf(number), stack, tell: context.tell });
    return { json: { role, address, bytes: Buffer.byteLength(text), text }, text };
  },
};

function roleOf(text: string): HandRole {
  if (!isHandRole(text)) throw new InvalidArgumentError(`'${text}' is no role: build, cache or builder`);
  return text;
}

function numberOf(text: string): number {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) throw new InvalidArgumentError(`'${text}' is no number of a builder: 1 or more`);
  return Number(text);
}
