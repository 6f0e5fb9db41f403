/** The whole program as a stack on AWS runs it, without AWS and without an engine. */
import { awsAnswers, type AwsAnswersOptions } from "./aws-answers.ts";
import { type Sections, signingKey, stackConfig } from "./aws-stacks.ts";
import { type MockedProgram, type Registered, runMocked } from "./mocked-program.ts";

let runs = 0;

/** There is no engine, so no plugin is wanted. */
const NO_PLUGINS = { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "false" };

export function awsProgram(stack: "team" | "prod", more: Sections = {}, answers: AwsAnswersOptions = {}, env: Readonly<Record<string, string>> = NO_PLUGINS): Promise<MockedProgram> {
  Object.assign(process.env, env);
  const config = Object.fromEntries(Object.entries(stackConfig(stack, more)).map(([key, value]) => [`comfyui:${key}`, JSON.stringify(value)]));
  // Another query is another module: the program runs each time.
  return runMocked(() => import(`../../infra/index.ts?aws-${++runs}`), { stack, config, secretKeys: ["comfyui:binaryCache"], answers: awsAnswers(answers) });
}

export function resource({ resources }: MockedProgram, name: string): Registered {
  const found = resources.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no resource is called ${name}`);
  return found;
}

export function ofType({ resources }: MockedProgram, type: string): readonly Registered[] {
  return resources.filter((each) => each.type === type);
}

/** One line a resource: what it is, where it belongs, what of it matters. What changes with every edit of a script or layer is left out. */
export function graphText({ resources }: MockedProgram): string {
  const text = resources.map((each) => `${each.type} ${each.name}${marks(each)}\n${inputLines(each)}`).join("");
  // Another one each time.
  return text.replaceAll(signingKey, "the signing key");
}

function marks({ parent, provider, protect, deletedWith, replaceWith, deleteBeforeReplace, ignoreChanges, replaceOnChanges }: Registered): string {
  const words = [
    parent && `in ${parent}`,
    provider && `by ${provider}`,
    protect && "protected",
    deletedWith && `deleted with ${deletedWith}`,
    replaceWith.length > 0 && `replaced with ${replaceWith.join(", ")}`,
    deleteBeforeReplace && "deleted before it is replaced",
    ignoreChanges.length > 0 && `ignores ${ignoreChanges.join(", ")}`,
    replaceOnChanges.length > 0 && `replaced for ${replaceOnChanges.join(", ")}`,
  ].filter(Boolean);
  return words.length === 0 ? "" : ` (${words.join("; ")})`;
}

const LEFT_OUT: ReadonlySet<string> = new Set(["stdin", "source", "userDataBase64", "addPreviousOutputInEnv", "logging", "connection"]);

function inputLines({ inputs }: Registered): string {
  return Object.entries(inputs)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `  ${key}: ${LEFT_OUT.has(key) ? "…" : JSON.stringify(value)}\n`)
    .join("");
}
