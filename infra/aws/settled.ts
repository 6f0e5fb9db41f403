import type * as pulumi from "@pulumi/pulumi";

/**
 * The value of an output, once its resource is made; nothing where a preview cannot know it yet. All that follows can then be
 * plain data, as on stacks whose hosts are there already. (`apply` is of no use here: it is never called for a value that is
 * not known.)
 */
export function settled<T>(output: pulumi.Output<T>): Promise<T | undefined> {
  // The SDK has it, and leaves it out of its declared types.
  return (output as unknown as { promise(): Promise<T | undefined> }).promise();
}
