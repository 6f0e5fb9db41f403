import { setTimeout as sleep } from "node:timers/promises";

/** The first answer of a server that is starting; with its log where none comes. `seconds`: how long it may take on a busy machine. */
export async function firstAnswer(url: string, log: () => string | Promise<string>, seconds = 30): Promise<Response> {
  for (let tries = 0; tries < seconds * 5; tries++) {
    try {
      return await fetch(url);
    } catch {
      await sleep(200);
    }
  }
  throw new Error(`no answer from ${url}:\n${await log()}`);
}
