/**
 * The access log of a docker-registry. It has no request sizes, but it says what the registry received all the same: each
 * request of an upload carries in its address the registry's own signed note (`_state`) of how far that upload has come, so
 * the last request of an upload, which names its digest, tells the bytes that arrived before it. (Clients send the content
 * with PATCH and end with an empty PUT; registry.ts compares the count with the size of the stored blob.)
 */

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly status: number;
}

export interface BlobUpload {
  readonly digest: string;
  /** Bytes of this blob that the registry received. */
  readonly received: number;
}

export interface ManifestUpload {
  readonly repository: string;
  /** The tag or digest it was put under. */
  readonly reference: string;
}

const LINE = /^\S+ \S+ \S+ \[[^\]]*\] "(\S+) (\S+) [^"]*" (\d+) (?:\d+|-) "[^"]*" "[^"]*"$/;

export function parseAccessLog(log: string): Request[] {
  const lines = log.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [, method = "", address = "", status] = LINE.exec(line) ?? fail(line);
    const { pathname, searchParams } = new URL(address, "http://registry");
    return { method, path: pathname, query: searchParams, status: Number(status) };
  });
}

function fail(line: string): never {
  throw new Error(`not a line of a registry's access log: ${line}`);
}

/** The note's offset: 32 bytes of signature, then JSON, all in base64url. */
function offset(state: string): number {
  const note = JSON.parse(Buffer.from(state, "base64url").subarray(32).toString("utf8")) as { Offset: number };
  return note.Offset;
}

export function blobUploads(requests: readonly Request[]): BlobUpload[] {
  return requests.flatMap(({ method, path, query, status }) => {
    const [digest, state] = [query.get("digest"), query.get("_state")];
    if (method !== "PUT" || status !== 201 || !/^\/v2\/.+\/blobs\/uploads\/[^/]+$/.test(path) || !digest || !state) return [];
    return [{ digest, received: offset(state) }];
  });
}

export function manifestUploads(requests: readonly Request[]): ManifestUpload[] {
  return requests.flatMap(({ method, path, status }) => {
    const [, repository, reference] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path) ?? [];
    return method === "PUT" && status === 201 && repository && reference ? [{ repository, reference }] : [];
  });
}
