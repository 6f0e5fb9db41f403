/**
 * A failed command is reported by the engine, with the script's own words. The SDK then reports it a second time for all that
 * waited for the command, as an unhandled exception of this program with a stack trace, below which the first is not seen.
 * This makes one line of the second report: the form that the SDK has for a RunError. The run fails all the same, so the
 * engine never takes what was not started for something that was removed from the program.
 */
export function reportFailedCommandsInOneLine(): void {
  process.prependListener("unhandledRejection", (error: unknown) => {
    // What waits for it by one of its inputs is named before it.
    const [, name] = (error instanceof Error && /^(?:error serializing property .*: )?resource (\S+) \[[^\]]*\] failed to register$/.exec(error.message)) || [];
    if (name === undefined) return;
    Object.assign(error as Error, { __pulumiRunError: true, message: `${name} failed; what waits for it did not run` });
  });
}
