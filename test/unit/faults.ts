import assert from "node:assert/strict";
import { type Fault, FaultError } from "../../infra/faults.ts";

/** The faults that `run` throws; fails when it throws none. */
export function faultsOf(run: () => unknown): readonly Fault[] {
  try {
    run();
  } catch (error) {
    if (error instanceof FaultError) return error.faults;
    throw error;
  }
  assert.fail("no fault was thrown");
}

/** One row of a table of bad inputs: the fault's code, where it is, and the whole text a user sees. */
export interface FaultRow<T> {
  readonly code: Fault["code"];
  readonly input: T;
  readonly where: string;
  /** Found, expected and problem as the message shows them. */
  readonly says: readonly string[];
}

/** Asserts one row: exactly this code, at this place, with these words in the message. */
export function assertFault<T>(row: FaultRow<T>, run: (input: T) => unknown): void {
  let message = "";
  const faults = faultsOf(() => {
    try {
      run(row.input);
    } catch (error) {
      message = (error as Error).message;
      throw error;
    }
  });
  assert.deepEqual(faults.map(({ code }) => code), [row.code], message);
  assert.ok(message.startsWith(`error[${row.code}]: ${row.where}: `), message);
  for (const words of row.says) assert.ok(message.includes(words), `${JSON.stringify(words)} is not in:\n${message}`);
  assert.match(message, /\n {2}fix: {6}\S/);
}
