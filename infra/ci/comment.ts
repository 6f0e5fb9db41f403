/**
 * `node infra/ci/comment.ts FILE`: puts FILE's text on the pull request PULL_REQUEST, in place of the last one of its kind.
 * Needs no npm package, and reads the text as mere text: it runs with the right to write, which the code that made FILE had not.
 */
import { readFileSync } from "node:fs";
import { putComment, thisRepository } from "./github.ts";
import { environment, step } from "./runner.ts";

await step(async () => {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error("usage: node infra/ci/comment.ts FILE");
  const text = readFileSync(file, "utf8");
  const [marker = ""] = text.split("\n", 1);
  if (!/^<!-- preview of stack [\w.-]+ -->$/.test(marker)) throw new Error(`${file} is no text of infra/ci/preview.ts`);
  const number = Number(environment("PULL_REQUEST").PULL_REQUEST);
  const what = await putComment(thisRepository(), number, marker, text);
  console.log(`${what} the comment on pull request ${number}`);
});
