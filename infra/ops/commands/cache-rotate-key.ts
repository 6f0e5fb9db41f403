import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { newSigningKey, publicKeyOf } from "../../config/signing-key.ts";
import { FaultError } from "../../faults.ts";
import { pulumi } from "../../quickstart/pulumi-cli.ts";
import { cut, table } from "../../table.ts";
import { onCacheHost } from "../cache/cache-host.ts";
import { NEXT_KEY, switchKey, trustKeys } from "../cache/key-file.ts";
import { keysAfter, type KeyState, type KeyStep, keySteps, nextKeyName, nextKeyStep } from "../cache/key-steps.ts";
import { type OpenedCache, openCache } from "../cache/open-cache.ts";
import { type PathInfo, pathInfoText, signatureBy, signer } from "../cache/path-info.ts";
import type { Context, OpsCommand } from "../command.ts";
import { readConfigValue, stackOption, type StackOption } from "../stack.ts";
import { readable } from "./cache-verify.ts";

interface Options extends StackOption {
  readonly leaked?: boolean;
}

const WHAT: Readonly<Record<KeyStep, string>> = {
  start: "a new key, which readers trust beside the old one; the old one signs",
  switch: "the new key signs; readers trust the old one too",
  sign: "what only the old key signed gets the new key's signature too",
  finish: "the old key is trusted no more",
};

export const cacheRotateKey: OpsCommand<[string | undefined], Options> = {
  name: "cache rotate-key [step]",
  summary: "changes the cache's signing key in steps, between which no reader is refused",
  description: `Without STEP: where the change stands. A step that was cut off is done again. Steps: ${keySteps.join(", ")}.
Before \`switch\`, every other machine that reads the cache has to trust the new key (its nix.conf, comfyui:substituters). It may
forget the old one after \`sign\`, when its Nix has forgotten the former signatures: at once where narinfo-cache-positive-ttl is 0,
as on the stack's hosts, by default after thirty days.

The secret key is lost: nothing is refused, but nothing can be pushed. Give a new one (\`cache key NAME\`) as signingKey, the old
public key under trusted, \`pulumi up\`, then \`sign\` and \`finish\`.
The secret key has leaked: whoever has it can sign anything. \`start\`, \`pulumi up\`, \`switch\`, \`pulumi up\`, then \`finish --leaked\`,
which signs nothing that the old key signed; \`pulumi up\`, then \`cache verify --mend\` copies to the cache, signed anew, what the
build host built itself.`,
  examples: [
    ["cache rotate-key", "which step is next"],
    ["cache rotate-key start", "the first one"],
  ],
  options: (command: Command) => stackOption(command).option("--leaked", "finish although paths are signed by the old key alone"),
  async run([wanted], { leaked = false, ...options }, context) {
    const cache = await openCache(options, context);
    const before = await keyState(cache, context);
    if (wanted !== undefined) await doStep(cache, before, stepOf(wanted, before, leaked), context);
    const after = wanted === undefined ? before : await keyState(await openCache(options, context), context);
    const next = nextKeyStep(after.keys);
    return { json: { ...after.keys, next: after.keys.next ?? null, step: next?.step ?? null, up: next?.up ?? false }, text: textOf(after.keys, next), found: next !== undefined };
  },
};

interface Found {
  readonly keys: KeyState;
  /** Paths that the current key is still to sign. */
  readonly unsigned: readonly PathInfo[];
}

const hostKeys = z.object({ next: z.string().nullable(), current: z.string(), trusted: z.array(z.string()) });
const openRequest = z.object({ cache: z.object({ publicKey: z.string(), trusted: z.array(z.string()) }) });

async function keyState(cache: OpenedCache, context: Context): Promise<Found> {
  const { keys, applied } = cache.kind === "directory" ? { keys: await onHost(cache, "show"), applied: true } : await ofFile(cache, context);
  const { infos } = await readable(cache);
  const [byCurrent, byOld] = [signer([keys.current]), signer(keys.trusted)];
  const unsigned = [...infos.values()].filter((info) => info.ca === "" && !byCurrent(info) && byOld(info));
  return { keys: { next: keys.next ?? undefined, current: keys.current, trusted: keys.trusted, applied, unsigned: unsigned.length }, unsigned };
}

function onHost({ stack, request }: OpenedCache, step: string): Promise<z.output<typeof hostKeys>> {
  return stack.onBuildHost("ops/cache-key", { ...request, do: step }, hostKeys);
}

/** A cache with a key of the configuration. */
async function ofFile({ stack }: OpenedCache, { root }: Context) {
  const { binaryCache } = stack.plan.config;
  if (binaryCache.kind === "directory") throw new Error("the stack's cache is another one than in its last `pulumi up`");
  const next = await readConfigValue(root, stack.name, NEXT_KEY);
  const keys = { next: next === undefined ? null : publicKeyOf(next), current: publicKeyOf(binaryCache.signingKey), trusted: binaryCache.trusted };
  const last = stack.state.request("comfyui-cache", openRequest)?.cache;
  return { keys, applied: last?.publicKey === keys.current && last.trusted.join() === keys.trusted.join() };
}

function stepOf(wanted: string, { keys }: Found, leaked: boolean): KeyStep {
  const step = keySteps.find((each) => each === wanted);
  if (step === undefined) throw new InvalidArgumentError(`'${wanted}' is no step: ${keySteps.join(", ")}`);
  const next = nextKeyStep(keys) ?? { step: "start", up: false };
  const early = leaked && step === "finish" && next.step === "sign";
  if ((step === next.step || early) && !next.up) return step;
  throw new FaultError([{ code: "CACHE_KEY_STEP", where: "cache rotate-key", problem: `it is not ${step} that comes next`, found: step, expected: next.up ? `pulumi up, then ${next.step}` : next.step }]);
}

async function doStep(cache: OpenedCache, { keys, unsigned }: Found, step: KeyStep, context: Context): Promise<void> {
  if (step === "sign") return signAll(cache, unsigned, context);
  if (cache.kind === "directory") return void (await onHost(cache, step));
  const { name } = cache.stack;
  const next = keys.next ?? (step === "start" ? await makeNext(context.root, name, nextKeyName(keys.current)) : undefined);
  const after = keysAfter(step, { ...keys, next });
  if (step === "switch") switchKey(context.root, name, after.trusted);
  else trustKeys(context.root, name, after.trusted);
}

async function makeNext(root: string, stack: string, name: string): Promise<string> {
  const secret = newSigningKey(name);
  await pulumi(["config", "set", "--secret", NEXT_KEY, "--stack", stack], root, secret);
  return publicKeyOf(secret);
}

async function signAll({ kind, stack, request }: OpenedCache, unsigned: readonly PathInfo[], context: Context): Promise<void> {
  const { binaryCache } = stack.plan.config;
  if (kind !== "nix-serve" || binaryCache.kind === "directory") {
    await stack.onBuildHost("ops/cache-sign", { ...request, paths: unsigned.map(({ path }) => path) }, z.object({ signed: z.number() }));
    return;
  }
  // The secret key stays here: the cache's host gets signatures, of what a trusted key had signed before.
  const signature = signatureBy(binaryCache.signingKey);
  const infos = unsigned.map((info) => pathInfoText({ ...info, signatures: [signature(info)] }));
  await onCacheHost(stack.state, { do: "sign", infos: infos.join("") }, z.unknown(), context);
}

function textOf({ current, next, trusted, unsigned }: KeyState, coming: ReturnType<typeof nextKeyStep>): string {
  const rows = [["signs", cut(current, 66)], ...trusted.filter((key) => key !== next).map((key) => ["trusted", cut(key, 66)]), ...(next === undefined ? [] : [["to come", cut(next, 66)]])];
  if (coming === undefined) return `${table(rows)}\n\nNo change is under way. It begins with: npm run --silent ops -- cache rotate-key start`;
  const at = keySteps.indexOf(coming.step);
  const steps = keySteps.map((step, index) => [index < at ? "done" : index === at ? "next" : "", step, WHAT[step]]);
  return [table(rows), "", table(steps), "", ...(unsigned === 0 ? [] : [`${unsigned} paths are signed by an old key alone.`]), ...(coming.up ? ["First: pulumi up"] : []), `npm run --silent ops -- cache rotate-key ${coming.step}`].join("\n");
}
