import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { OpsCommand } from "../command.ts";
import { cacheHealth } from "../report/cache.ts";
import { cacheStatus } from "./cache-status.ts";
import { openStack, stackOption, type StackOption } from "../stack.ts";

interface Options extends StackOption {
  readonly out: string;
}

export const report: OpsCommand<[], Options> = {
  name: "report",
  summary: "one HTML page: layers, their sizes, contents and build times, why they were rebuilt, image versions, cache",
  description: "DIR/index.html needs nothing but itself, neither network nor script. Times are UTC.",
  examples: [["report --stack team --out .local/report", "then open .local/report/index.html"]],
  options: (command) => stackOption(command.requiredOption("--out <dir>", "where index.html is written; made where it is not there")),
  async run(_args, options, context) {
    const stack = await openStack(options, context);
    // Drawing charts takes longer to load than all other commands together.
    const [{ readReport }, { reportPage }] = await Promise.all([import("../report/data.ts"), import("../report/page.ts")]);
    const { json: cache } = await cacheStatus.run([], { stack: stack.name }, context);
    const style = await readFile(new URL("../report/report.css", import.meta.url), "utf8");
    const page = reportPage(await readReport(stack, context.root, cacheHealth(cache)), style);
    const folder = resolve(options.out);
    await mkdir(folder, { recursive: true });
    const file = join(folder, "index.html");
    await writeFile(file, page);
    return { json: { stack: stack.name, file, bytes: Buffer.byteLength(page) }, text: file };
  },
};
