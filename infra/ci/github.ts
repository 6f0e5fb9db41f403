/** The few calls of GitHub's REST API that the workflows make. */
import { type Fault, FaultError } from "../faults.ts";
import { environment } from "./runner.ts";

export interface Repository {
  /** Address of the API, such as GITHUB_API_URL gives it. */
  readonly api: string;
  /** OWNER/NAME. */
  readonly name: string;
  readonly token: string;
}

/** The login of the workflows' own token. */
const BOT = "github-actions[bot]";
const PAGE = 100;

interface Comment {
  readonly id: number;
  readonly body?: string;
  readonly user: { readonly login: string } | null;
}

interface PullRequest {
  readonly number: number;
  readonly html_url: string;
}

/** The repository that the workflow runs in. */
export function thisRepository(): Repository {
  const env = environment("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN");
  return { api: env.GITHUB_API_URL, name: env.GITHUB_REPOSITORY, token: env.GITHUB_TOKEN };
}

async function call<T>({ api, name, token }: Repository, method: string, path: string, body?: object): Promise<T> {
  const headers = { authorization: `Bearer ${token}`, accept: "application/vnd.github+json", "x-github-api-version": "2022-11-28" };
  const where = `${method} /repos/${name}/${path}`;
  const signal = AbortSignal.timeout(60_000);
  const response = await fetch(`${api}/repos/${name}/${path}`, { method, headers, signal, ...(body && { body: JSON.stringify(body) }) }).catch((error: Error) => {
    throw new FaultError([fault(where, `no answer: ${error.message}`)]);
  });
  const text = await response.text();
  if (!response.ok) throw new FaultError([fault(where, "GitHub refused", `${response.status} ${text.slice(0, 500)}`)]);
  return JSON.parse(text) as T;
}

function fault(where: string, problem: string, found?: string): Fault {
  return { code: "CI_GITHUB", where, problem, ...(found === undefined ? {} : { found }) };
}

async function listAll<T>(repository: Repository, path: string): Promise<T[]> {
  const all: T[] = [];
  for (let page = 1; ; page++) {
    const some = await call<T[]>(repository, "GET", `${path}?per_page=${PAGE}&page=${page}`);
    all.push(...some);
    if (some.length < PAGE) return all;
  }
}

/** Makes the one comment that begins with `marker`, or writes it anew; never touches a person's. */
export async function putComment(repository: Repository, pullRequest: number, marker: string, body: string): Promise<"created" | "updated"> {
  const comments = await listAll<Comment>(repository, `issues/${pullRequest}/comments`);
  const own = comments.find(({ body: text, user }) => user?.login === BOT && text?.startsWith(marker));
  if (own === undefined) await call(repository, "POST", `issues/${pullRequest}/comments`, { body });
  else await call(repository, "PATCH", `issues/comments/${own.id}`, { body });
  return own === undefined ? "created" : "updated";
}

export interface PullRequestText {
  readonly branch: string;
  readonly base: string;
  readonly title: string;
  readonly body: string;
}

/** Opens a pull request from the repository's own branch, or gives the open one of this branch the new text; answers its address. */
export async function putPullRequest(repository: Repository, { branch, base, title, body }: PullRequestText): Promise<string> {
  const owner = repository.name.split("/")[0];
  const query = new URLSearchParams({ state: "open", head: `${owner}:${branch}`, base });
  const [open] = await call<PullRequest[]>(repository, "GET", `pulls?${query}`);
  if (open === undefined) return (await call<PullRequest>(repository, "POST", "pulls", { head: branch, base, title, body })).html_url;
  return (await call<PullRequest>(repository, "PATCH", `pulls/${open.number}`, { title, body })).html_url;
}
