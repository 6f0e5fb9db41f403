/**
 * A Debian 13 host on which the packages of all roles are installed already, and nothing is set up: for tests of what comes
 * after a bootstrap, which then takes seconds. Made once and kept in the test cache.
 */
import { join } from "node:path";
import { type HostNetwork, NETWORK_NAME } from "./host-network.ts";
import { once } from "./test-cache.ts";

/** Those that infra/hosts/bootstrap asks for; what is missing here is installed by the bootstrap as ever. */
const PACKAGES = [
  ...["bash-static", "ca-certificates", "caddy", "curl", "debian-archive-keyring", "e2fsprogs", "git", "gpg", "gpgv", "jq", "nix-bin"],
  ...["nix-setup-systemd", "openssh-server", "perl-base", "python3-pip", "skopeo", "xz-utils", "zstd"],
];
const INSTALL = `export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -qq -y --no-install-recommends ${PACKAGES.join(" ")} >/dev/null
apt-get clean && rm -rf /var/lib/apt/lists/* /nix`;

const NAME = "debian-trixie-prepared";
const CONTAINER = "prepare";

/** The image in this network's Docker; answers its name. */
export async function preparedImage({ docker, image }: HostNetwork): Promise<string> {
  const folder = await once(NAME, async (partial) => {
    await docker.run(["run", "--name", CONTAINER, "--network", NETWORK_NAME, image, "bash", "-euc", INSTALL], { timeout: 15 * 60_000 });
    await docker.run(["export", "--output", join(partial, "root.tar"), CONTAINER]);
    await docker.run(["rm", CONTAINER]);
  });
  const { stdout: known } = await docker.run(["images", "--quiet", NAME]);
  if (known === "") await docker.run(["import", join(folder, "root.tar"), NAME]);
  return NAME;
}
