/** Reads a package index's JSON simple API (PEP 691; sizes and versions: PEP 700): which files there are, and what is said of them. */
import { z } from "zod";
import { type Fault, FaultError } from "../faults.ts";

const fileSchema = z.object({
  filename: z.string(),
  url: z.string(),
  hashes: z.record(z.string(), z.string()),
  size: z.number().optional(),
  yanked: z.union([z.boolean(), z.string()]).default(false),
});
const pageSchema = z.object({ meta: z.object({ "api-version": z.string().startsWith("1.") }), files: z.array(fileSchema) });

/** One file as the index states it. */
export interface IndexFile {
  readonly file: string;
  /** Absolute. */
  readonly url: string;
  /** SRI; absent where the index states none. */
  readonly hash?: string;
  readonly size?: number;
  /** Why its maintainer took it back; empty where no reason is given. Absent: it was not. */
  readonly yanked?: string;
}

const accept = "application/vnd.pypi.simple.v1+json";
const tries = 3;
const timeout = 60_000;

export class IndexClient {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #pages = new Map<string, Promise<readonly IndexFile[] | undefined>>();

  constructor(base: string) {
    const url = new URL(base);
    const login = url.username === "" ? undefined : Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString("base64");
    url.username = url.password = "";
    this.#base = url.href.replace(/\/+$/, "");
    this.#headers = login === undefined ? {} : { authorization: `Basic ${login}` };
  }

  /** All files of a project; nothing where the index has no such project. Each project is asked for once. */
  files(name: string): Promise<readonly IndexFile[] | undefined> {
    const known = this.#pages.get(name) ?? this.#read(name);
    this.#pages.set(name, known);
    return known;
  }

  /** The bytes of a file. Credentials go to the index's own host only. */
  async download(file: IndexFile): Promise<Response> {
    const own = new URL(file.url).host === new URL(this.#base).host;
    return ask(file.url, own ? this.#headers : {});
  }

  async #read(name: string): Promise<readonly IndexFile[] | undefined> {
    const page = `${this.#base}/${name}/`;
    const response = await ask(page, { ...this.#headers, accept });
    if (response.status === 404) return undefined;
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith(accept)) throw indexFault(page, "the index does not speak JSON (PEP 691)", type, accept);
    const parsed = pageSchema.safeParse(await response.json().catch((error: Error) => error.message));
    if (!parsed.success) throw indexFault(page, "the index's answer has another form than PEP 691 says", z.prettifyError(parsed.error).replaceAll("\n", " "));
    return parsed.data.files.map(({ filename, url, hashes, size, yanked }) => ({
      file: filename,
      url: new URL(url, response.url).href,
      ...(hashes["sha256"] === undefined ? {} : { hash: sriOfHex(hashes["sha256"]) }),
      ...(size === undefined ? {} : { size }),
      ...(yanked === false ? {} : { yanked: yanked === true ? "" : yanked }),
    }));
  }
}

export function sriOfHex(hex: string): string {
  return `sha256-${Buffer.from(hex, "hex").toString("base64")}`;
}

function indexFault(where: string, problem: string, found: string, expected?: string): FaultError {
  const fault: Fault = { code: "LOCK_INDEX", where, problem, found, ...(expected === undefined ? {} : { expected }) };
  return new FaultError([fault]);
}

/** Asks again when the server is busy or the connection breaks; an answer of 404 is an answer. */
async function ask(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  let problem = "";
  for (let attempt = 1; attempt <= tries; attempt++) {
    try {
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeout) });
      if (response.ok || response.status === 404) return response;
      problem = `HTTP ${response.status} ${response.statusText}`.trim();
      if (response.status < 500 && response.status !== 429) break;
    } catch (error) {
      problem = (error as { cause?: Error }).cause?.message || (error as Error).message;
    }
    if (attempt < tries) await new Promise((resolve) => setTimeout(resolve, 300 * attempt));
  }
  throw indexFault(url, "the index cannot be asked", problem, "an answer");
}
