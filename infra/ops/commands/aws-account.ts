import { openAccount } from "../aws.ts";
import type { OpsCommand } from "../command.ts";

export const awsAccount: OpsCommand<[string]> = {
  name: "aws account <region>",
  summary: "makes what an account needs before its first stack: a bucket for the state, a key for its secrets",
  examples: [["aws account eu-central-1", "prints the lines that come next"]],
  async run([region], _options, { root, tell }) {
    const made = await openAccount(root, region, tell);
    tell(`account ${made.account}: state in ${made.bucket}`);
    return { json: made, text: `export PULUMI_BACKEND_URL='${made.backend}'\npulumi stack init STACK --secrets-provider '${made.secretsProvider}'` };
  },
};
