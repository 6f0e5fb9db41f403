/**
 * Every error this program, its host scripts and its image's entry point can end with. The code is stable: scripts, tests and people search for it.
 * `cause` says what it means, `cure` what to do when the message itself does not say it more exactly.
 */
export const faultTable = {
  CONFIG_UNKNOWN_KEY: { cause: "a configuration key that does not exist", cure: "remove the key, or correct its spelling" },
  CONFIG_MISSING: { cause: "a required configuration value is absent", cure: "add the value to the stack's file in stacks/" },
  CONFIG_TYPE: { cause: "a configuration value has the wrong type", cure: "write a value of the expected type" },
  CONFIG_KIND: { cause: "the `kind` of a configuration section is not one of the known kinds", cure: "choose one of the listed kinds" },
  CONFIG_VALUE: { cause: "a configuration value is not one of the allowed values", cure: "choose one of the listed values" },
  CONFIG_RANGE: { cause: "a configuration value has too few or too many parts", cure: "give as many as expected" },
  CONFIG_PATH: { cause: "a path in the configuration leaves the project's folder, or has characters that are not allowed", cure: "give a relative path inside the project's folder" },
  CONFIG_PATH_CLASH: { cause: "two parts of the configuration write to the same folder, or one to a folder inside the other's", cure: "give each a folder of its own" },
  CONFIG_SOURCE_PATH: { cause: "the cache or the registry would be written among the project's sources", cure: "choose a folder under .local/" },
  CONFIG_REPOSITORY: { cause: "an image repository that no registry can hold", cure: "write HOST[:PORT]/NAME without scheme, tag or digest" },
  CONFIG_URL: { cause: "a substituter's address is not an absolute URL of a scheme that Nix reads", cure: "write https://…, http://…, file:///… or s3://…" },
  CONFIG_PUBLIC_KEY: { cause: "a text that is not a Nix public key", cure: "copy NAME:BASE64 from `nix key convert-secret-to-public`" },
  CONFIG_FLAVOR_UNKNOWN: { cause: "the flavor is not listed in layers/layers.json", cure: "choose a listed flavor, or add it to layers.json" },
  CONFIG_DUPLICATE: { cause: "the same entry is given twice", cure: "remove one of the two" },
  CONFIG_HOST: { cause: "a text that is not a host's name or address", cure: "write the name or the address alone; user and port are values of their own" },
  CONFIG_USER: { cause: "a text that is not a Linux user's name", cure: "write the name of the user who logs in" },
  CONFIG_HOST_KEY: { cause: "a text that is not the public key of an SSH server", cure: "npm run ops -- host key HOST" },
  CONFIG_PRIVATE_KEY: { cause: "a text that is not an SSH private key, or one with a passphrase", cure: "make one without: ssh-keygen -t ed25519 -N '' -f FILE; or leave it out and use the SSH agent" },
  CONFIG_SIGNING_KEY: { cause: "a text that is not a Nix signing key, or whose two halves do not belong together", cure: "npm run ops -- cache key NAME | pulumi config set --secret --path comfyui:binaryCache.signingKey" },
  CONFIG_PASSWORD: { cause: "a password that Nix could not read from a netrc file", cure: "choose another one, such as `openssl rand -hex 16` gives" },
  CONFIG_NAME: { cause: "a name with characters that it cannot have", cure: "choose a name of the expected form" },
  CONFIG_DOMAIN: { cause: "a text that is not a domain name", cure: "write the name alone, without https:// and port" },
  CONFIG_PROGRAM: { cause: "a path of a program or device that is not absolute", cure: "write the whole path, beginning with /" },
  CONFIG_SECRET_PLAIN: { cause: "a secret stands in a stack's file in clear", cure: "replace the value by an encrypted one: pulumi config set --secret; it was seen, so make a new one" },
  CONFIG_HOST_SHARED: { cause: "one machine is to have two roles whose settings exclude each other", cure: "use a machine for each" },
  CONFIG_BUILDERS_LOCAL: { cause: "remote builders were configured for a build host that this program does not set up", cure: "use a build host of kind ssh, or remove the builders" },
  CONFIG_ADDRESS: { cause: "a cache's address is not the one that it is served under", cure: "remove `url`, or make it https://DOMAIN" },
  GRAPH_UNREADABLE: { cause: "layers/layers.json cannot be read", cure: "restore the file" },
  GRAPH_JSON: { cause: "layers/layers.json is not JSON", cure: "correct the syntax at the place named" },
  GRAPH_SCHEMA: { cause: "an entry of layers/layers.json has a wrong shape", cure: "correct the entry named" },
  GRAPH_DUPLICATE_ATTR: { cause: "two layers have the same attr", cure: "rename one of them" },
  GRAPH_UNKNOWN_LAYER: { cause: "a layer names one that does not exist", cure: "correct the name, or add the layer" },
  GRAPH_CYCLE: { cause: "layers depend on each other in a circle", cure: "remove one of the named edges" },
  GRAPH_ORDER: { cause: "a layer stands in layers.json before one that it waits for", cure: "move it below that layer: the order of the file is the order of the image" },
  GRAPH_ON_WITHOUT_BLOB: { cause: "a layer is `on` one that has no blob, so its contents would be in no blob of the image", cure: "use `after`, or give the lower layer a blob" },
  GRAPH_PLACEHOLDER: { cause: "an input has a placeholder that does not exist", cure: "use {flavor} or {packageSet}" },
  GRAPH_OPTIONAL: { cause: "a layer is optional by something that is none of its inputs", cure: "name a file of the layer's `inputs`, in the same words" },
  GRAPH_ON_OPTIONAL: { cause: "a layer waits for one that a flavor may not have", cure: "remove the edge, or make the upper layer optional by the same file" },
  GRAPH_SMOKE: { cause: "a layer has smoke tests by flavor, but not for exactly the flavors that there are", cure: "give one for each flavor of layers.json, or one list for all" },
  GRAPH_TORCH: { cause: "a flavor takes PyTorch from its package set, which has none", cure: 'use "packageSet": "nixpkgs", or "torch": "wheels"' },
  GRAPH_INPUT_OUTSIDE: { cause: "an input lies outside layers/", cure: "move the file below layers/ and name it relative to that folder" },
  GRAPH_INPUT_MISSING: { cause: "an input does not exist", cure: "create the file, or remove it from the layer's inputs" },
  GRAPH_INPUT_KIND: { cause: "a folder is named as a file, or a file as a folder", cure: "write a folder with a slash at its end, a file without" },
  GRAPH_INPUT_EMPTY: { cause: "an input folder holds no file", cure: "add a file, or remove the folder from the layer's inputs" },
  GRAPH_INPUT_SYMLINK: { cause: "an input is a symbolic link, whose meaning depends on where it is read", cure: "replace the link by the file" },
  GRAPH_INPUT_SPECIAL: { cause: "an input is neither a file nor a folder", cure: "remove it from the layer's folder" },
  GRAPH_INPUT_NAME: { cause: "an input's name has characters that are not safe in a Nix path", cure: "use letters, digits and . _ + - only" },
  GRAPH_INPUT_UNREADABLE: { cause: "an input cannot be read", cure: "give read permission to the user who runs pulumi" },
  HOST_TOOL_MISSING: { cause: "the host lacks a program", cure: "run `npm run setup`" },
  HOST_NIX_OLD: { cause: "the host's Nix is older than 2.18", cure: "run `npm run setup`, then `. .local/env.sh`" },
  HOST_SYSTEM: { cause: "the host cannot build for the configured system", cure: "set `systems` to the host's, or choose another host" },
  HOST_UNREACHABLE: { cause: "a host does not answer SSH", cure: "start it, or correct its address, port or firewall; a host that needs longer: COMFYUI_HOST_PATIENCE=SECONDS" },
  HOST_KEY_MISMATCH: { cause: "a host shows another SSH host key than the configured one", cure: "find out whether the host was replaced; then configure its new key: npm run ops -- host key HOST" },
  HOST_LOGIN_REFUSED: { cause: "a host refuses the login", cure: "add the public key to the user's ~/.ssh/authorized_keys there, or correct user and privateKey" },
  HOST_CONNECTION_LOST: { cause: "the connection to a host is cut again and again", cure: "look at the network between this machine and the host, then run `pulumi up` again: it joins the build that is running" },
  HOST_CLOCK_SKEW: { cause: "a host's clock is off by more than a minute", cure: "set the clock of the machine that is wrong (timedatectl set-ntp true)" },
  HOST_NIX_STORE: { cause: "the host's Nix store does not answer", cure: "start its Nix daemon" },
  HOST_NIX_CONFIG: { cause: "the host's nix.conf lacks what the stack needs, and its user may not ask for it", cure: "bootstrap the host again with this stack's settings" },
  HOST_NIX_BUCKETS: { cause: "the host's Nix was built without S3", cure: "install Nix from nixos.org there, or choose another kind of cache" },
  HOST_DISK_FULL: { cause: "the host's disk has too little room for a build", cure: "collect garbage (`nix-collect-garbage`), or enlarge the disk" },
  BUILDER_LOST: { cause: "Nix lost its remote builders in the middle of a build, several times", cure: "start the hosts in `builders`, then run `pulumi up` again" },
  HOST_SOURCES_MISSING: { cause: "a host has not what the stack put there: it was replaced, or its user's home was", cure: "send all of it again: pulumi up --replace '**::comfyui-build-host-*' --replace '**::comfyui-cache'" },
  REQUEST_INVALID: { cause: "a host script got a request that it does not understand", cure: "run `pulumi up` with the program of the same revision as the script" },
  LAYER_SOURCES_CHANGED: { cause: "a source file changed between preview and build", cure: "run `pulumi up` again" },
  LAYER_BUILD_FAILED: { cause: "a layer did not build", cure: "read the log named in the message, correct the layer, run `pulumi up` again" },
  LAYER_TIMEOUT: { cause: "a layer's build took longer than the limit", cure: "raise COMFYUI_LAYER_TIMEOUT (seconds), or look for a hanging build in the log" },
  BOOTSTRAP_NOT_ROOT: { cause: "a host can only be set up by root", cure: "pipe the text into `sudo bash -s`" },
  BOOTSTRAP_SYSTEM: { cause: "the host runs another system than those that hosts are set up on", cure: "use Debian 13 or Ubuntu 24.04" },
  BOOTSTRAP_PACKAGES: { cause: "apt could not install a package on the host", cure: "see to it that apt works there, then run it again" },
  BOOTSTRAP_NIX_OLD: { cause: "the host's distribution has a Nix older than 2.18", cure: "use Debian 13 or Ubuntu 24.04" },
  BOOTSTRAP_NO_KEYS: { cause: "no public key was given, so nobody could log in", cure: "give at least one" },
  BOOTSTRAP_ROLE: { cause: "the host has another role already", cure: "take another host" },
  BOOTSTRAP_SYSTEMS: { cause: "a builder does not build for the systems it is listed with", cure: "correct its `systems`" },
  BOOTSTRAP_SERVER: { cause: "the program that serves the cache is not there", cure: "install it where `serverPath` says, or leave that out" },
  BOOTSTRAP_CADDY: { cause: "Caddy does not take the settings made for it", cure: "correct the cache's domain, port or user" },
  BOOTSTRAP_SSHD: { cause: "sshd does not take the settings made for it beside the host's own", cure: "correct /etc/ssh/sshd_config of the host" },
  BOOTSTRAP_UNIT: { cause: "systemd does not take a unit", cure: "look at the unit's drop-ins on the host" },
  BOOTSTRAP_STORE_EXISTS: { cause: "/nix has a store that a volume would hide", cure: "move it by hand, or leave the volume out" },
  BOOTSTRAP_VOLUME_MISSING: { cause: "the volume for /nix is not there", cure: "attach it, or correct its name" },
  BOOTSTRAP_VOLUME_TAKEN: { cause: "the volume for /nix holds something else", cure: "give an empty one" },
  CACHE_DISK_FULL: { cause: "the cache host's disk is nearly full", cure: "drop old images from the cache, or give it a larger disk" },
  CACHE_KEY_LIMITED: { cause: "the push key was used for something else", cure: "log in with another key" },
  CACHE_PIN_NAME: { cause: "a pin's name has characters that are not allowed", cure: "use letters, digits and . _ + - between slashes" },
  CACHE_PIN_PATH: { cause: "a path that is to be pinned is not in the cache", cure: "push it first" },
  CACHE_KEY_MISSING: { cause: "the cache's signing key is not there", cure: "run `pulumi up --target-dependents --target '**comfyui-cache'`, or restore the key" },
  CACHE_KEY_INVALID: { cause: "the cache's signing key cannot be used", cure: "restore the key from its backup" },
  CACHE_PUSH_FAILED: { cause: "a layer could not be copied to the binary cache", cure: "look for a full disk or missing permissions at the cache's folder, then run `pulumi up` again" },
  CACHE_NOT_OPEN: { cause: "the build host does not know where the binary cache is", cure: "run `pulumi up --target-dependents --target '**comfyui-cache'`" },
  CACHE_UNREACHABLE: { cause: "the binary cache does not answer", cure: "start its host and its server; `binaryCache.onFailure: continue` builds without it" },
  CACHE_UNAUTHORIZED: { cause: "the binary cache does not let the build host read", cure: "correct `binaryCache.auth`" },
  CACHE_LOGIN_REFUSED: { cause: "the cache host does not know the build host's push key", cure: "bootstrap the cache host again, with the key of the message" },
  CACHE_REFUSED: { cause: "the cache host does not trust the stack's signing key", cure: "bootstrap the cache host again, with the key of the message" },
  CACHE_SIGNATURE: { cause: "the cache holds a path of this layer without a valid signature by its key", cure: "delete the named .narinfo file in the cache and run `pulumi up` again" },
  PUBLISH_FAILED: { cause: "the image could not be copied to the registry", cure: "check that the registry is reachable and that this host is logged in (`skopeo login`)" },
  PUBLISH_TAG_TAKEN: { cause: "the registry holds another image under this tag", cure: "find out who pushed it; remove that tag or publish to another repository" },
  PUBLISH_DIGEST: { cause: "the registry answers with another digest than the one sent", cure: "check the registry's storage, then run `pulumi up` again" },
  PUBLISH_REGISTRY: { cause: "the registry could not be asked for the tag", cure: "check its address, TLS and this host's login (`skopeo login`)" },
  PREFETCH_FLAVOR: { cause: "there are no locks for the flavor", cure: "choose a flavor of layers/layers.json" },
  PREFETCH_LOCK_INVALID: { cause: "a lock file has a wrong shape", cure: "restore it" },
  PREFETCH_LOCK_STALE: { cause: "the Debian mirror no longer has a locked version", cure: "run `npm run setup` on the machine that runs pulumi: it locks anew" },
  PREFETCH_PACKAGE_GONE: { cause: "Debian dropped a package altogether", cure: "take a newer version of this project" },
  PREFETCH_HASH: { cause: "a downloaded file has another hash than locked", cure: "try again; if it stays so, do not trust the mirror" },
  PREFETCH_DOWNLOAD: { cause: "a file could not be downloaded", cure: "check the network and the package indexes that pip and apt use" },
  PREFETCH_GIVEN_MISSING: { cause: "a file that nobody serves was not given", cure: "npm run setup -- --flavor FLAVOR --file PATH" },
  PREFETCH_GIVEN_UNKNOWN: { cause: "a file was given that no lock of the flavor names", cure: "give the file with the locked hash" },
  PREFETCH_MIRROR: { cause: "the Debian mirror does not answer as it should", cure: "check the network and the mirror" },
  PREFETCH_MIRROR_MISSING: { cause: "no Debian mirror is known", cure: "set COMFYUI_DEBIAN_MIRROR" },
  PREFETCH_KEYRING_MISSING: { cause: "Debian's signing keys are not on this machine", cure: "install the package debian-archive-keyring" },
  PREFETCH_STORE: { cause: "the Nix store lost files that were just added", cure: "run `npm run setup` again; check the disk" },
  LOCK_USAGE: { cause: "the lock tool was called with an argument that it does not know", cure: "npm run lock -- --help" },
  LOCK_FLAVOR_UNKNOWN: { cause: "the flavor has no requirements.json", cure: "choose a flavor of layers/layers.json that has one" },
  LOCK_LAYER_UNKNOWN: { cause: "the layer does not exist, or has no lock", cure: "choose one of the listed layers" },
  LOCK_REQUIREMENTS: { cause: "requirements.json has a wrong shape", cure: "correct the place named; infra/lock/requirements-file.ts describes each field" },
  LOCK_BROKEN: { cause: "a lock file is damaged", cure: "restore it from git: git restore layers/locks" },
  LOCK_ENTRY: { cause: "an entry of a lock has a wrong shape", cure: "restore the file from git, or lock anew: npm run lock" },
  LOCK_UV: { cause: "the resolver uv cannot be used", cure: "run `npm run setup`, then `. .local/env.sh`" },
  LOCK_INDEX: { cause: "the package index cannot be asked, or does not answer as it should", cure: "check the network and the index that uv and pip use (UV_DEFAULT_INDEX, PIP_INDEX_URL, pip config list)" },
  LOCK_UNKNOWN_NAME: { cause: "a required distribution does not exist", cure: "correct the name" },
  LOCK_UNSOLVABLE: { cause: "the requirements contradict each other", cure: "loosen one of the named bounds; an upper layer's requirement may override one with `overrides`" },
  LOCK_NO_FILE: { cause: "a distribution has no file that a layer could use", cure: "bound its version, build it from source (`fromSource`), or leave it out there (`leaveOut`, with the reason)" },
  LOCK_NO_PLACE: { cause: "a distribution is needed by layers without a common layer below them", cure: "require it in a layer below both" },
  LOCK_YANKED: { cause: "a file was taken back by its maintainers", cure: "npm run lock -- update NAME" },
  LOCK_HASH: { cause: "a file has another hash than the one locked", cure: "find out why before you lock the new one" },
  LOCK_STALE: { cause: "a lock is not what its requirements give", cure: "npm run lock" },
  LOCK_FILE_NAME: { cause: "a locked file is named like another distribution or version", cure: "restore the lock from git, or lock anew: npm run lock" },
  LOCK_TAGS: { cause: "a locked wheel does not fit the Python or the system that it is locked for", cure: "restore the lock from git, or lock anew: npm run lock" },
  LOCK_TWICE: { cause: "a distribution is locked more than once", cure: "restore the locks from git, or lock anew: npm run lock" },
  LOCK_ADDRESS: { cause: "an entry was changed in part: its address without its hash, or the reverse", cure: "restore the lock from git, then lock anew: npm run lock" },
  LOCK_REQUIRED_TWICE: { cause: "another layer requires the distribution already", cure: "add it to that layer, or move the requirement" },
  LOCK_WRITE: { cause: "a lock file could not be written", cure: "make room on the disk or give write permission, then run it again" },
  LOCK_GIT_URL: { cause: "a repository's address cannot stand in a lock", cure: "give the address that everyone may read, without a login" },
  LOCK_GIT_FETCH: { cause: "a git repository or revision cannot be had", cure: "check the address and the revision; the server has to let everyone read it" },
  LOCK_GIT_REV: { cause: "a repository has no such tag, branch or commit", cure: "give one of the repository's tags or branches, or all 40 digits of a commit" },
  LOCK_NODE_SHAPE: { cause: "a repository is no custom node that can be pinned", cure: "look into the repository; a fork of it may have what is missing" },
  LOCK_NODE_REQUIREMENT: { cause: "a custom node requires something that names no distribution of an index", cure: "leave it out with --without NAME, once for each, and require what stands in for it: npm run lock -- add NAME --layer layer7-nodes" },
  LOCK_NODE_CONFLICT: { cause: "a custom node wants other versions than the layers below have", cure: "leave the requirement out with --without NAME, or give the layers below what fits: npm run lock -- update NAME" },
  LOCK_NODE_CLASH: { cause: "the name of a custom node is that of something else in the flavor", cure: "take the other one out first: npm run lock -- remove-node NAME" },
  LOCK_NODE_UNKNOWN: { cause: "the flavor has no custom node of this name", cure: "name one that it has" },
  LOCK_FLAKE: { cause: "nixpkgs in layers/flake.lock cannot be updated", cure: "check the network and the file" },
  RECOVER_LIVE: { cause: "the stack's lock belongs to a run that may still be alive", cure: "wait for it, or stop it" },
  SETUP_USAGE: { cause: "set-up was called with an argument that it cannot use", cure: "bash infra/setup.sh [--tests] [--flavor FLAVOR] [--file PATH]..." },
  SETUP_PLATFORM: { cause: "set-up does not know this kind of machine", cure: "use an x86_64 Linux machine" },
  SETUP_FOLDER: { cause: "the checkout cannot be written", cure: "make it writable for the user who runs set-up" },
  SETUP_TOOLS_MISSING: { cause: "programs are missing that set-up may not install", cure: "install the named packages" },
  SETUP_APT_FAILED: { cause: "apt could not install packages", cure: "read the message; `apt-get update` often helps" },
  SETUP_NPM_MISSING: { cause: "there is no npm", cure: "install Node.js with npm" },
  SETUP_NPM_FAILED: { cause: "npm could not install the locked packages", cure: "read the named log" },
  SETUP_NIX_MISSING: { cause: "no Nix of version 2.18 or newer can be had", cure: "install Nix with the named command" },
  SETUP_NIX_STORE: { cause: "the Nix store cannot be used", cure: "start the Nix daemon, or run set-up as root" },
  SETUP_NIX_DAEMON_OLD: { cause: "the running Nix daemon is older than 2.18", cure: "update the system's Nix and restart the daemon" },
  SETUP_NIX_SANDBOX: { cause: "Nix cannot build in a sandbox on this machine", cure: "allow namespaces: the container's options or the sysctl named in the message" },
  SETUP_NIX_UNTRUSTED: { cause: "the Nix daemon does not trust this user", cure: "add the named line to /etc/nix/nix.conf and restart the daemon" },
  SETUP_NO_ENGINE: { cause: "no Pulumi engine can be had", cure: "install Pulumi, or build without it: nix run path:./layers#build-incremental" },
  SETUP_PLUGIN_MISSING: { cause: "the Pulumi plugin could not be installed", cure: "run the named command" },
  SETUP_STACK_FAILED: { cause: "the stack could not be made in its backend", cure: "read the named log" },
  SETUP_UV_FAILED: { cause: "uv could not be installed", cure: "check pip's index setting and the network" },
  SETUP_DOWNLOADS_FAILED: { cause: "not every locked file could be fetched", cure: "read the lines above; run `npm run setup` again" },
  CI_ENVIRONMENT: { cause: "a step of a workflow lacks a variable", cure: "set it in the step's `env`, as .github/workflows does" },
  OPS_USAGE: { cause: "the operators' tool was called with an argument that it does not know", cure: "npm run ops -- --help" },
  OPS_ROLE: { cause: "the stack's configuration has no machine of this role", cure: "name another stack or role, or configure the machine first" },
  CI_VARIABLE_MISSING: { cause: "a repository variable is not set, though the variable of the role is", cure: "set it: Settings, Secrets and variables, Actions, Variables; or remove the role's, which switches the job off" },
  CI_VARIABLE_INVALID: { cause: "a repository variable has a value that cannot be right", cure: "correct it: Settings, Secrets and variables, Actions, Variables" },
  CI_STACK_HOST: { cause: "the workflow on main would build on a machine that is thrown away", cure: "name a stack with a build host of its own, or remove AWS_UP_ROLE, which switches the job off" },
  CI_CACHE_EMPTY: { cause: "a binary cache that was to be pushed holds nothing", cure: "run `npm run quickstart` first" },
  CI_UPDATE_OUTSIDE: { cause: "an update by the workflow changed more than what is locked and asked for", cure: "look at what the lock tool did; run `npm run lock -- update` by hand" },
  CI_GITHUB: { cause: "GitHub's API did not do what a workflow asked for", cure: "look at the job's `permissions` and at the repository's settings (Actions, General), then run the job again" },
  RUN_OPTIONS: { cause: "the container was given options, or a CLI_ARGS, that are no command line of ComfyUI's", cure: "correct the option named" },
  RUN_GPU_MISSING: { cause: "the image computes on an NVIDIA GPU, and the container has none", cure: "start it with --gpus all, or with the option --cpu" },
  RUN_GPU_DRIVER: { cause: "the host's NVIDIA driver is older than the image's CUDA needs", cure: "update the host's driver, or give the option --cpu" },
  RUN_VOLUME: { cause: "the container cannot write to its volume", cure: "mount one that its user can write" },
  RUN_COMMAND_DENIED: { cause: "the container was given a command that it may not run", cure: "make the file executable" },
  RUN_COMMAND_UNKNOWN: { cause: "the container was given a command that does not exist", cure: "correct the name; options begin with -" },
} as const satisfies Record<string, { cause: string; cure: string }>;

export type FaultCode = keyof typeof faultTable;

/** One thing that is wrong: where, what was found, what was expected, and how to mend it (default: the table's cure). */
export interface Fault {
  readonly code: FaultCode;
  readonly where: string;
  readonly problem: string;
  readonly found?: string;
  readonly expected?: string;
  readonly fix?: string;
}

/** All faults of one step together, so that a user mends them in one go. */
export class FaultError extends Error {
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    super(faults.map(formatFault).join("\n"));
    this.name = "FaultError";
    this.faults = faults;
  }
}

/** The one written form of a fault; the host scripts' `fail` writes the same. */
export function formatFault(fault: Fault): string {
  const lines = [`error[${fault.code}]: ${fault.where}: ${fault.problem}`];
  if (fault.found !== undefined) lines.push(`  found:    ${fault.found}`);
  if (fault.expected !== undefined) lines.push(`  expected: ${fault.expected}`);
  lines.push(`  fix:      ${fault.fix ?? faultTable[fault.code].cure}`);
  return lines.join("\n");
}

/** Throws all faults at once, or returns when there are none. */
export function throwFaults(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new FaultError(faults);
}

/** The result, or nothing and its faults among the others: so that they are reported together. */
export function gather<T>(faults: Fault[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    faults.push(...error.faults);
    return undefined;
  }
}
