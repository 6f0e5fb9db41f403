/** Properties as the engine sends them: JSON, in which secrets, unknown values and assets are marked by values of their own. */
import structs, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";

export type Value = null | boolean | number | string | readonly Value[] | Properties;
export interface Properties {
  readonly [name: string]: Value;
}

/** The name under which an object says that it stands for something else, and what it says. */
const MARK = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";

/** What stands for a value that a preview does not know, by its type. */
const UNKNOWN: ReadonlySet<Value> = new Set([
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9", // a string, and what has no type
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // a boolean
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421", // a number
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // a list
  "030794c1-ac77-496b-92df-f27374a8bd58", // an asset
  "e48ece36-62e2-4504-bad9-02848725956a", // an archive
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // an object
]);
export const UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A file or a text that is copied somewhere. Its content counts by its hash; in a diff the engine sends nothing else. */
export interface Asset {
  readonly hash: string;
  readonly path?: string;
  readonly text?: string;
}

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
const isObject = (value: Value): value is Properties => typeof value === "object" && value !== null && !isList(value);
/** Whether it is an object and nothing else: no secret, no asset. */
export const isPlain = (value: Value): value is Properties => isObject(value) && !(MARK in value);
export const isSecret = (value: Value): value is Properties => isObject(value) && value[MARK] === SECRET;
export const isUnknown = (value: Value): boolean => UNKNOWN.has(bare(value));
export const isAsset = (value: Value): value is Properties & Asset => isObject(value) && value[MARK] === ASSET;
/** The mark of something that is none of these: an archive, a reference to a resource. */
export const markOf = (value: Value): Value => (isObject(value) ? (value[MARK] ?? null) : null);

/** A secret of a secret is the secret itself. */
export const secret = (value: Value): Value => (isSecret(value) ? value : { [MARK]: SECRET, value });

/** The value itself, where it is a secret. */
export function bare(value: Value): Value {
  return isSecret(value) ? bare(value["value"] ?? null) : value;
}

/** With `change` done to the value, within its secret where it is one. */
export function within(value: Value, change: (bare: Value) => Value): Value {
  return isSecret(value) ? { ...value, value: within(value["value"] ?? null, change) } : change(value);
}

/** The texts of all secrets in it. */
export function secretTexts(value: Value, hidden = false): string[] {
  if (typeof value === "string") return hidden && !isUnknown(value) ? [value] : [];
  if (isSecret(value)) return secretTexts(bare(value), true);
  if (isList(value)) return value.flatMap((each) => secretTexts(each, hidden));
  return isObject(value) ? Object.values(value).flatMap((each) => secretTexts(each, hidden)) : [];
}

/** What has no value is not there: the engine sends some of it as null, and some not at all. */
function withoutNulls(value: Value): Value {
  if (isList(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([name, each]) => (bare(each) === null ? [] : [[name, withoutNulls(each)]])));
}

export function fromStruct(struct: Struct | undefined): Properties {
  return withoutNulls((struct?.toJavaScript() ?? {}) as Properties) as Properties;
}

export function toStruct(properties: Properties): Struct {
  return structs.Struct.fromJavaScript(properties as Parameters<typeof structs.Struct.fromJavaScript>[0]);
}
