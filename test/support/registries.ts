/** The hosts of the package registries, as this machine's own tools are set to them: no name of one is written down here. */
import { indexUrl } from "../../infra/lock/index-url.ts";
import { IndexClient } from "../../infra/lock/index-client.ts";
import { mirror } from "./debian-packages.ts";
import { goProgram } from "./go.ts";
import { run } from "./process.ts";

const hostOf = (url: string) => new URL(url).hostname;

async function pythonHosts(): Promise<string[]> {
  const index = await indexUrl();
  const [file] = (await new IndexClient(index).files("uv")) ?? [];
  return [index, ...(file === undefined ? [] : [file.url])].map(hostOf);
}

async function goHosts(): Promise<string[]> {
  const { stdout } = await run(await goProgram(), ["env", "GOPROXY", "GOSUMDB"]);
  const [proxies = "", sums = ""] = stdout.split("\n");
  return [...proxies.split(/[,|]/).filter((each) => each.includes("://")).map(hostOf), ...sums.split(" ")[0]!.split("+").slice(0, 1)];
}

/** Those of Debian, npm, Python and Go, and of the proxies that lead to them. */
export async function registryHosts(): Promise<readonly string[]> {
  const npm = await run("npm", ["config", "get", "registry"]);
  const proxies = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].flatMap((name) => process.env[name] ?? []);
  const found = [await mirror(), npm.stdout.trim(), ...proxies].map(hostOf);
  return [...new Set([...found, ...(await pythonHosts()), ...(await goHosts())])];
}
