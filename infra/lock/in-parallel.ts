import { type Fault, FaultError, throwFaults } from "../faults.ts";

const atOnce = 8;

/** All results in order, a few at a time; where some fail, the faults of all. */
export async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const faults: Fault[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) {
      try {
        results[at] = await act(items[at] as T);
      } catch (error) {
        if (!(error instanceof FaultError)) throw error;
        faults.push(...error.faults);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  throwFaults(faults);
  return results;
}
