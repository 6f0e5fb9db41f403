/**
 * The inputs that a resource may have: a table of shapes for each. What is in no table is an error and never ignored: the official
 * plugin has more inputs than this project uses. A schema library would do this too, but loading one takes as long as all else here.
 */
import { pathText } from "./diff.ts";
import { bare, isAsset, isList, isPlain, isUnknown, markOf, type Properties, type Value } from "./properties.ts";

export interface Problem {
  /** The path of the input. */
  readonly property: string;
  /** What was expected and found; no value, because it may be a secret. */
  readonly reason: string;
}

type Path = readonly (string | number)[];

/** Reads a value that is there, known and no secret; undefined where it told a problem. */
export interface Shape<T> {
  readonly required: boolean;
  read(value: Value, path: Path, problems: Problem[]): T | undefined;
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Read<S> = S extends { required: true } & Shape<infer T> ? T : S extends Shape<infer T> ? T | undefined : never;
/** What a table reads. */
export type Inputs<F extends Fields> = { readonly [Name in keyof F]: Read<F[Name]> };

type FileAsset = Properties & { readonly hash: string; readonly path: string };

function shape<T>(expected: string, is: (value: Value) => value is Value & T): Shape<T> {
  return {
    required: false,
    read(value, path, problems) {
      if (is(value)) return value;
      problems.push({ property: pathText(path), reason: `expected ${expected}, found ${kindOf(value)}` });
      return undefined;
    },
  };
}

export const text = shape("a text", (value): value is string => typeof value === "string");
export const flag = shape("true or false", (value): value is boolean => typeof value === "boolean");
export const anything = shape("a list", (value): value is readonly Value[] => isList(value));
export const file = shape("a FileAsset", (value): value is FileAsset => isAsset(value) && typeof value["path"] === "string");
export const whole = (least: number, most: number) =>
  shape(`a whole number from ${least} to ${most}`, (value): value is number => Number.isInteger(value) && Number(value) >= least && Number(value) <= most);
export const oneOf = <const T extends string>(...texts: readonly T[]) =>
  shape(`one of ${texts.join(", ")}`, (value): value is T => texts.some((each) => each === value));
export const matching = (expected: string, is: (text: string) => boolean) =>
  shape(expected, (value): value is string => typeof value === "string" && is(value));

export function required<T>(of: Shape<T>): Shape<T> & { required: true } {
  return { ...of, required: true };
}

export function object<F extends Fields>(fields: F): Shape<Inputs<F>> {
  return {
    required: false,
    read(value, path, problems) {
      if (!isPlain(value)) {
        problems.push({ property: pathText(path), reason: `expected an object, found ${kindOf(value)}` });
        return undefined;
      }
      for (const name of Object.keys(value).filter((each) => !(each in fields))) {
        const known = Object.keys(fields).join(", ");
        const reason = `is no input that this project's stand-in for Pulumi's command plugin knows; it knows ${known}`;
        problems.push({ property: pathText([...path, name]), reason });
      }
      const read = Object.entries(fields).map(([name, field]) => [name, readField(field, value[name], [...path, name], problems)]);
      return Object.fromEntries(read) as Inputs<F>;
    },
  };
}

/** What is unknown in a preview may be of any shape. */
function readField(field: Shape<unknown>, given: Value | undefined, path: Path, problems: Problem[]): unknown {
  if (given === undefined) {
    if (field.required) problems.push({ property: pathText(path), reason: "is missing" });
    return undefined;
  }
  return isUnknown(given) ? undefined : field.read(bare(given), path, problems);
}

function kindOf(value: Value): string {
  if (isList(value)) return "a list";
  if (isAsset(value)) return "an asset of another kind";
  if (markOf(value) !== null) return "an archive, or a resource";
  return value === null ? "nothing" : value === "" ? "an empty text" : `a value of type ${typeof value}`;
}

/** All problems of these inputs at once. */
export function problemsOf(shapeOf: Shape<unknown>, inputs: Properties): readonly Problem[] {
  const problems: Problem[] = [];
  shapeOf.read(inputs, [], problems);
  return problems;
}

/** The inputs of a resource that is worked on: all are known then. Throws where one is not as it has to be: a state that was made elsewhere. */
export function inputsOf<T>(shapeOf: Shape<T>, properties: Properties): T {
  const problems: Problem[] = [];
  const read = shapeOf.read(properties, [], problems);
  if (read === undefined || problems.length > 0) throw new Error(problems.map(({ property, reason }) => `${property}: ${reason}`).join("\n"));
  return read;
}
