/** Learns a file's hash by downloading it, where an index states none. Nothing is kept. */
import { createHash } from "node:crypto";
import type { IndexClient, IndexFile } from "./index-client.ts";
import { sriOfHex } from "./index-client.ts";
import { FaultError } from "../faults.ts";
import type { Progress } from "./progress.ts";

/** The file with its hash and size. */
export async function withHash(client: IndexClient, file: IndexFile, progress: Progress): Promise<IndexFile> {
  if (file.hash !== undefined) return file;
  const response = await client.download(file);
  if (!response.ok || response.body === null) throw new FaultError([{ code: "LOCK_INDEX", where: file.url, problem: "the file cannot be downloaded", found: `HTTP ${response.status}` }]);
  const total = Number(response.headers.get("content-length")) || undefined;
  const step = progress.begin(`${file.file}: no hash at the index, downloading`, total);
  const digest = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of response.body) {
      digest.update(chunk);
      size += chunk.length;
      step.advance(chunk.length);
    }
  } catch (error) {
    throw new FaultError([{ code: "LOCK_INDEX", where: file.url, problem: "the download broke off", found: `${size} bytes; ${(error as Error).message}` }]);
  } finally {
    step.end();
  }
  return { ...file, hash: sriOfHex(digest.digest("hex")), size };
}
