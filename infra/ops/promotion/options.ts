import { type Command, InvalidArgumentError } from "commander";
import { PROMOTED_TAG } from "./history.ts";

export interface MovingOptions {
  /** The tag that moves. */
  readonly tag: string;
  readonly dryRun?: boolean;
}

export function movingOption(command: Command): Command {
  return command.option("--tag <tag>", "the tag that moves", movingTag, PROMOTED_TAG);
}

export function dryRunOption(command: Command): Command {
  return command.option("--dry-run", "says what would be done, and does nothing");
}

/** A tag as registries take it (OCI distribution specification), short enough for a history; images' own tags never move. */
function movingTag(text: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}$/.test(text)) throw new InvalidArgumentError(`'${text}' is no tag: letters, digits and _ . - are expected, at most 80`);
  if (/^[0-9a-f]{12}$/.test(text)) throw new InvalidArgumentError(`'${text}' is an image's own tag, which never moves`);
  return text;
}
