/** Which package index is asked: no host is written down here, the programs that people have configured say it. */
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { FaultError } from "../faults.ts";
import { runUv } from "./uv.ts";

/**
 * The index's simple API, without a slash at its end: from uv's environment, else pip's environment or configuration, else
 * uv's own configuration or default.
 */
export async function indexUrl(): Promise<string> {
  const { UV_DEFAULT_INDEX, UV_INDEX_URL } = process.env;
  const url = UV_DEFAULT_INDEX || UV_INDEX_URL || pipIndex() || (await uvIndex());
  return url.replace(/\/+$/, "");
}

/** `:env:.index-url='…'` and `global.index-url='…'` in pip's own list; the environment wins, as for pip itself. */
export function indexInPipConfig(list: string): string | undefined {
  const found = list.split("\n").flatMap((line) => {
    const [, from, url] = /^(:env:|global|install|download)\.index-url='(.*)'$/.exec(line.trim()) ?? [];
    return from === undefined || url === undefined ? [] : [{ from, url }];
  });
  return (found.find(({ from }) => from === ":env:") ?? found.at(-1))?.url;
}

function pipIndex(): string | undefined {
  try {
    return indexInPipConfig(execFileSync("python3", ["-m", "pip", "config", "list"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  } catch {
    // No pip for this Python: then it has no settings either.
    return process.env["PIP_INDEX_URL"];
  }
}

async function uvIndex(): Promise<string> {
  const { stdout, stderr } = await runUv(["pip", "compile", "/dev/null", "--emit-index-url", "--no-header", "--offline", "--no-python-downloads"], tmpdir(), {});
  const url = /^--index-url (\S+)$/m.exec(stdout)?.[1];
  if (url === undefined) throw new FaultError([{ code: "LOCK_UV", where: "uv", problem: "uv does not say which package index it uses", found: stderr.trim() }]);
  return url;
}
