/** The stack's output `run`: how the published image is started, ready to paste. */
import { compose } from "./compose.ts";
import { dockerRun } from "./docker-run.ts";
import { kubernetes } from "./kubernetes.ts";
import type { Runnable } from "./runnable.ts";

export interface Snippets {
  /** For a shell. */
  readonly docker: string;
  /** compose.yaml */
  readonly compose: string;
  /** For `kubectl apply --filename -`. */
  readonly kubernetes: string;
}

export function snippets(target: Runnable): Snippets {
  return { docker: dockerRun(target), compose: compose(target), kubernetes: kubernetes(target) };
}
