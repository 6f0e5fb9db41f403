import { setTimeout as sleep } from "node:timers/promises";

/** The first answer of a server that is starting; with its log where none comes. */
export async function firstAnswer(url: string, log: () => string | Promise<string>): Promise<Response> {
  for (let tries = 0; tries < 150; tries++) {
    try {
      return await fetch(url);
    } catch {
      await sleep(200);
    }
  }
  throw new Error(`no answer from ${url}:\n${await log()}`);
}
