import type { z } from "zod";

/** A zod issue as every message needs it: the key's path, what was found there, what was expected. */
export interface IssueView {
  readonly path: string;
  readonly code: z.core.$ZodIssue["code"];
  readonly problem: string;
  readonly found: string;
  readonly expected: string;
  /** Code given by a custom check (`params.code`). */
  readonly custom?: string;
}

/** What a message shows of a value. */
export type Show = (value: unknown, path: readonly PropertyKey[], code: IssueView["code"]) => string;

/** Flattens zod's issues; an unknown key becomes one view per key. `shown`: for values that a message may not show. */
export function issueViews(error: z.ZodError, input: unknown, shown: Show = show): IssueView[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const path = [...issue.path, key];
        return { ...base(issue, path, input, shown), problem: "there is no such key" };
      });
    }
    return [base(issue, issue.path, input, shown)];
  });
}

function base(issue: z.core.$ZodIssue, path: readonly PropertyKey[], input: unknown, shown: Show): IssueView {
  const custom: unknown = issue.code === "custom" ? issue.params?.["code"] : undefined;
  return {
    path: dotted(path),
    code: issue.code,
    problem: problemOf(issue, valueAt(input, path)),
    found: shown(valueAt(input, path), path, issue.code),
    expected: expectedOf(issue),
    ...(typeof custom === "string" ? { custom } : {}),
  };
}

/** `a.b[0]`, the way Pulumi writes configuration paths. */
export function dotted(path: readonly PropertyKey[]): string {
  return path.map((part, at) => (typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${String(part)}`)).join("");
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (value !== null && typeof value === "object" ? (value as Record<PropertyKey, unknown>)[part] : undefined),
    input,
  );
}

export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

function problemOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "invalid_type" && value === undefined) return "the value is missing";
  if (issue.code === "invalid_union") return "the kind is not known";
  return "the value does not fit";
}

function expectedOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `${issue.expected}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    case "unrecognized_keys":
      return "only the documented keys";
    case "invalid_union":
      return (issue as { options?: readonly unknown[] }).options?.map((value) => JSON.stringify(value)).join(" or ") ?? "one of the documented kinds";
    case "custom":
      return String(issue.params?.["expected"] ?? "a valid value");
    default:
      return issue.message;
  }
}
