/** The stack's outputs, in the program's own form. */
import { z } from "zod";
import { cacheAnswer, imageAnswer, layerOutput } from "../../infra/answers.ts";
import { stackOutput } from "./pulumi.ts";
import type { Sandbox } from "./sandbox.ts";

const form = z.object({ layers: z.record(z.string(), layerOutput), image: imageAnswer, cache: cacheAnswer });

export async function outputs(sandbox: Sandbox): Promise<z.output<typeof form>> {
  return form.parse(await stackOutput(sandbox));
}
