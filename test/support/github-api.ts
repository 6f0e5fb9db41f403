/** The calls of GitHub's REST API that the workflows make, answered from memory: GitHub itself cannot be had here. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

export interface Comment {
  readonly id: number;
  body: string;
  readonly user: { readonly login: string };
}

export interface PullRequest {
  readonly number: number;
  readonly html_url: string;
  readonly head: string;
  readonly base: string;
  title: string;
  body: string;
}

type Handler = (match: RegExpExecArray, body: Record<string, string>, query: URLSearchParams) => unknown;

export class GitHubApi {
  /** Comments of pull request 7. */
  readonly comments: Comment[] = [];
  readonly pullRequests: PullRequest[] = [];
  /** METHOD PATH of each call. */
  readonly calls: string[] = [];
  readonly repository = "owner/name";
  readonly token = "a-token";
  #refusal: string | undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(([status, body]) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)));
    });
  }

  static async start(): Promise<GitHubApi> {
    const api = new GitHubApi();
    api.#server.listen(0, "127.0.0.1");
    await once(api.#server, "listening");
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What a step of a workflow has in its environment. */
  get env(): Record<string, string> {
    return { GITHUB_API_URL: this.url, GITHUB_REPOSITORY: this.repository, GITHUB_TOKEN: this.token };
  }

  /** Every call from now on is answered with 403 and this message. */
  refuse(message: string): void {
    this.#refusal = message;
  }

  addComment(login: string, body: string): Comment {
    const comment = { id: 100 + this.comments.length, body, user: { login } };
    this.comments.push(comment);
    return comment;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  readonly #routes: readonly (readonly [RegExp, Handler])[] = [
    [/^GET issues\/7\/comments$/, (_, __, query) => page(this.comments, query)],
    [/^POST issues\/7\/comments$/, (_, { body = "" }) => this.addComment("github-actions[bot]", body)],
    [/^PATCH issues\/comments\/(\d+)$/, ([, id], { body = "" }) => Object.assign(this.comments.find((each) => each.id === Number(id)) as Comment, { body })],
    [/^GET pulls$/, (_, __, query) => this.pullRequests.filter(({ head, base }) => query.get("head") === `owner:${head}` && query.get("base") === base)],
    [/^POST pulls$/, (_, { head = "", base = "", title = "", body = "" }) => {
      const number = 20 + this.pullRequests.length;
      const made = { number, html_url: `https://forge.example/owner/name/pull/${number}`, head, base, title, body };
      this.pullRequests.push(made);
      return made;
    }],
    [/^PATCH pulls\/(\d+)$/, ([, number], { title = "", body = "" }) => Object.assign(this.pullRequests.find((each) => each.number === Number(number)) as PullRequest, { title, body })],
  ];

  async #answer(request: IncomingMessage): Promise<[number, unknown]> {
    const url = new URL(request.url ?? "", this.url);
    const body = request.method === "GET" ? {} : ((await json(request)) as Record<string, string>);
    this.calls.push(`${request.method} ${url.pathname}`);
    if (this.#refusal !== undefined) return [403, { message: this.#refusal }];
    if (request.headers.authorization !== `Bearer ${this.token}`) return [401, { message: "Bad credentials" }];
    const path = `${request.method} ${url.pathname.replace(`/repos/${this.repository}/`, "")}`;
    for (const [pattern, handler] of this.#routes) {
      const match = pattern.exec(path);
      if (match) return [200, handler(match, body, url.searchParams)];
    }
    return [404, { message: "Not Found" }];
  }
}

function page<T>(all: readonly T[], query: URLSearchParams): T[] {
  const size = Number(query.get("per_page") ?? 30);
  const from = (Number(query.get("page") ?? 1) - 1) * size;
  return all.slice(from, from + size);
}
