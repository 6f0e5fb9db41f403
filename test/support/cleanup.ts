/** What has to be undone, in the reverse order of its doing: every step is tried, whatever the others do, and only once. */
export class Cleanup {
  readonly #steps: Array<() => Promise<unknown>> = [];

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "several things could not be cleaned up");
  }
}

/** Makes something out of several parts; when a later part fails, the earlier ones are undone. */
export async function assemble<T>(make: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup();
  try {
    return await make(cleanup);
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

/** Uses something that has to be stopped. */
export async function using<T extends { stop(): Promise<void> }, R>(resource: T, use: (resource: T) => Promise<R>): Promise<R> {
  try {
    return await use(resource);
  } finally {
    await resource.stop();
  }
}
