import { FaultError } from "../faults.ts";
import { normalizeName } from "./requirement.ts";

/** A repository's address as a lock can hold it, and the name of the folder that its checkout has. */
export interface Repository {
  readonly git: string;
  /** As the address has it: `ComfyUI-Name` of https://host/owner/ComfyUI-Name.git */
  readonly folder: string;
  readonly name: string;
}

/** Throws where an address would say something secret, could not be read by everyone who builds, or names no folder. */
export function repositoryOf(address: string): Repository {
  const url = URL.parse(address);
  const fault = (problem: string, found: string) => new FaultError([{ code: "LOCK_GIT_URL", where: "npm run lock", problem, found, expected: "https://HOST/OWNER/NAME, readable by everyone (file:///FOLDER for this machine alone)" }]);
  if (url === null || !["https:", "http:", "file:"].includes(url.protocol)) throw fault("this is no address that a lock can hold", address);
  // The error must not repeat it.
  if (url.username !== "" || url.password !== "") throw fault("the address holds a login, which would be readable in the lock", `${url.protocol}//…@${url.host}${url.pathname}`);
  if (url.search !== "" || url.hash !== "") throw fault("the address says more than where the repository is", address);
  const folder = decodeURIComponent(url.pathname).replace(/\/+$/, "").replace(/\.git$/, "").split("/").at(-1) ?? "";
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(folder)) throw fault("the repository's name cannot be that of a folder", folder || address);
  return { git: address.replace(/\/+$/, ""), folder, name: normalizeName(folder.replaceAll("+", "-")).replace(/-$/, "") };
}
