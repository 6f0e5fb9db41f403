/** A real docker-registry on a free loopback port, with its storage in a temporary folder and its own access log. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assemble, type Cleanup } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { run, type Running, start } from "./process.ts";
import { type BlobUpload, blobUploads, manifestUploads, parseAccessLog, type Request } from "./registry-log.ts";

/** Everything that a registry received in a window of time. */
export interface Received {
  readonly blobs: readonly BlobUpload[];
  readonly manifests: ReadonlyArray<{ readonly reference: string; readonly digest: string; readonly size: number }>;
  /** Bytes of all blobs and manifests. */
  readonly total: number;
}

/** A user of a registry that wants a login. */
export interface User {
  readonly name: string;
  readonly password: string;
  /** The password by bcrypt, the only hash that the registry reads. */
  readonly bcrypt: string;
}

export class Registry {
  /** HOST:PORT, as in an image's reference. */
  readonly address: string;
  readonly #storage: string;
  readonly #process: Running;
  readonly #cleanup: Cleanup;

  private constructor(address: string, storage: string, running: Running, cleanup: Cleanup) {
    this.address = address;
    this.#storage = storage;
    this.#process = running;
    this.#cleanup = cleanup;
  }

  /** `user`: the only one who may read or write; default: everyone may. */
  static async start(user?: User): Promise<Registry> {
    return assemble(async (cleanup) => {
      const folder = await mkdtemp(join(tmpdir(), "comfyui-registry-"));
      cleanup.add(() => run("rm", ["-rf", folder]));
      const address = `127.0.0.1:${await freePort()}`;
      const config = {
        version: "0.1",
        log: { level: "info", accesslog: { disabled: false } },
        storage: { filesystem: { rootdirectory: join(folder, "storage") }, delete: { enabled: true } },
        http: { addr: address, secret: "only for tests" },
        ...(user && { auth: { htpasswd: { realm: "tests", path: join(folder, "htpasswd") } } }),
      };
      if (user) await writeFile(join(folder, "htpasswd"), `${user.name}:${user.bcrypt}\n`);
      // YAML, of which JSON is a part.
      await writeFile(join(folder, "config.yml"), JSON.stringify(config));
      // Ends with this process, even by kill -9.
      const running = start("setpriv", ["--pdeathsig", "KILL", "docker-registry", "serve", join(folder, "config.yml")]);
      cleanup.add(() => running.stop(5_000));
      await running.outputMatches(/listening on/, 30_000);
      return new Registry(address, join(folder, "storage/docker/registry/v2"), running, cleanup);
    });
  }

  requests(): Request[] {
    return parseAccessLog(this.#process.output().stdout);
  }

  /** What came in with the requests after the first `since` ones (`requests().length` at the window's start). */
  async received(since = 0): Promise<Received> {
    const requests = this.requests().slice(since);
    const blobs = blobUploads(requests);
    for (const blob of blobs) await this.#check(blob);
    const manifests = [];
    for (const { repository, reference } of manifestUploads(requests)) {
      const digest = await this.#manifestDigest(repository, reference);
      manifests.push({ reference, digest, size: await this.#size(digest) });
    }
    const total = [...blobs.map(({ received }) => received), ...manifests.map(({ size }) => size)].reduce((a, b) => a + b, 0);
    return { blobs, manifests, total };
  }

  /** The count from the log must be the size of what is stored: nothing was sent with the upload's last request. */
  async #check({ digest, received }: BlobUpload): Promise<void> {
    const size = await this.#size(digest);
    if (size !== received) throw new Error(`${digest}: the log says ${received} bytes, ${size} are stored`);
  }

  async #size(digest: string): Promise<number> {
    const [algorithm = "", hex = ""] = digest.split(":");
    return (await stat(join(this.#storage, "blobs", algorithm, hex.slice(0, 2), hex, "data"))).size;
  }

  /** A manifest's size is in no log; it is that of the stored one, which the registry keeps byte by byte. */
  async #manifestDigest(repository: string, reference: string): Promise<string> {
    if (reference.includes(":")) return reference;
    const link = join(this.#storage, "repositories", repository, "_manifests/tags", reference, "current/link");
    if (!existsSync(link)) throw new Error(`the registry has no tag ${reference} in ${repository}`);
    return (await readFile(link, "utf8")).trim();
  }

  async stop(): Promise<void> {
    await this.#cleanup.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
