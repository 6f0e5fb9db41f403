import * as aws from "@pulumi/aws";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { parseAnswer } from "../answers.ts";

const keyPair = z.object({ privateKey: z.string(), publicKey: z.string() });

export interface HostKeyArgs {
  /** Name of the secret in Secrets Manager. */
  readonly secretName: string;
}

/**
 * The SSH host key of an instance: made once by the program, a secret in the state, and given to the instance through Secrets
 * Manager (0.40 USD a month). So the key is pinned before there is a host, and a replaced instance has the same one.
 */
export class HostKey extends pulumi.ComponentResource {
  /** `TYPE BASE64`. */
  readonly publicKey: pulumi.Output<string>;
  /** The secret has the key. */
  readonly ready: pulumi.Resource;

  constructor(name: string, { secretName }: HostKeyArgs, options: pulumi.ComponentResourceOptions) {
    super("comfyui:aws:HostKey", name, {}, options);
    const made = new command.local.Command(
      `${name}-pair`,
      { create: "exec node ssh/new-host-key.ts", logging: command.local.Logging.None, addPreviousOutputInEnv: false },
      { parent: this, additionalSecretOutputs: ["stdout", "stderr"] },
    );
    const pair = made.stdout.apply((text) => parseAnswer(keyPair, text));
    // No time to change one's mind: the key is in the state too, and a secret that waits to be deleted would hold its name.
    const secret = new aws.secretsmanager.Secret(`${name}-secret`, { name: secretName, description: "SSH host key", recoveryWindowInDays: 0 }, { parent: this });
    this.ready = new aws.secretsmanager.SecretVersion(`${name}-version`, { secretId: secret.id, secretString: pulumi.secret(pair.privateKey) }, { parent: this });
    this.publicKey = pulumi.unsecret(pair.publicKey);
    this.registerOutputs({});
  }
}
