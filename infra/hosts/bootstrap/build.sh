# shellcheck shell=bash
# The role of a build host: Nix, what the host scripts need, and the user `comfyui`, who may build and is nobody special.
# Settings: {role: "build", stack, authorizedKeys, substituters: [{url, publicKey}], trustedPublicKeys, netrc: null | [{machine,
# login, password}], builders: [{host, port, hostKey, systems, maxJobs, speedFactor, features}], minFreeGiB, maxFreeGiB, volume,
# bucketNix: null | {path: null | folder of a Nix, nixpkgs: flake reference, daemon: whether Nix's daemon reads a bucket too}}

# with_other_stacks KEYS: SETTINGS with what the other stacks of this host need beside it: who logs in, caches with their keys and
# passwords, builders, a daemon that reads buckets. Each stack's are in a file of its own, as they were when it set this host up.
# Where two know the same cache's password or the same builder, this stack is right. All else is as this stack has it: free
# space, the disk, which Nix reads buckets. What a host has from before there were such files goes: nobody knows whose it is.
# KEYS: of those who log in for this stack.
with_other_stacks() {
  local folder=/etc/comfyui/stacks
  put "$folder/$(setting .stack).json" 600 root:root "$(jq -c --arg keys "$1" '{authorizedKeys: ($keys | split("\n")),
    substituters, trustedPublicKeys, netrc, builders, bucketNix}' <<<"$SETTINGS")"
  SETTINGS=$(jq -cs 'def each(list; name): reduce (.[] | list[]?) as $one ({}; .[$one | name] = $one) | [.[]];
    last + {
      authorizedKeys: [.[].authorizedKeys[]?],
      substituters: each(.substituters; .url),
      trustedPublicKeys: [.[] | .substituters[]?.publicKey, .trustedPublicKeys[]?],
      netrc: each(.netrc; .machine),
      builders: each(.builders; "\(.host):\(.port)"),
      bucketDaemon: any(.bucketNix.daemon)
    }' "$folder"/*.json - <<<"$SETTINGS")
}

# gib FILTER: a number of GiB in bytes.
gib() {
  setting "($1 // 0) * 1073741824 | floor"
}

# remote_builders: the machines that Nix hands derivations to, reached by a name in root's ssh settings, which hold port, key
# and host key. The private key is made here and never leaves this host.
remote_builders() {
  local key=/etc/nix/builder_ed25519
  if [ "$(setting '.builders | length')" -gt 0 ] && [ ! -e "$key" ]; then
    rm -f "$key.new" "$key.new.pub"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$key.new"
    mv "$key.new.pub" "$key.pub"
    mv "$key.new" "$key"
  fi
  put /etc/nix/builders_known_hosts 644 root:root "$(
    setting '.builders // [] | to_entries[] | "comfyui-builder-\(.key) \(.value.hostKey | split(" ")[0:2] | join(" "))"'
  )"
  put /etc/ssh/ssh_config.d/comfyui-builders.conf 644 root:root "$(setting '.builders // [] | to_entries[] | "Host comfyui-builder-\(.key)
  HostName \(.value.host)
  Port \(.value.port // 22)
  User comfyui-builder
  HostKeyAlias comfyui-builder-\(.key)
  IdentityFile /etc/nix/builder_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile /etc/nix/builders_known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 15
  ServerAliveInterval 10
  ServerAliveCountMax 3"')"
  put /etc/nix/machines 644 root:root "$(setting '.builders // [] | to_entries[] | [
    "ssh-ng://comfyui-builder-\(.key)", (.value.systems | join(",")), "/etc/nix/builder_ed25519", .value.maxJobs // 1,
    .value.speedFactor // 1, (.value.features // [] | join(",") | if . == "" then "-" else . end), "-", "-"] | map(tostring) | join(" ")')"
}

# home: comfyui, with the stacks' folders on the disk of /nix where there is one: a new machine with that disk goes on with them.
home() {
  local home=/nix/comfyui
  [ -n "$(setting .volume)" ] || home=/home/comfyui
  account comfyui --create-home --home-dir "$home" --shell /bin/bash
  home=$(getent passwd comfyui | cut -d : -f 6)
  [ "$(stat -c %U "$home")" = comfyui ] || chown -R -h comfyui:comfyui "$home"
}

readonly BUCKET_NIX=/nix/var/nix/gcroots/comfyui-nix

# bucket_nix: a Nix that can use buckets, beside the distribution's, which cannot. Scripts of this project take it where it is.
bucket_nix() {
  local path
  [ -n "$(setting .bucketNix)" ] || return 0
  path=$(setting .bucketNix.path)
  if [ -z "$path" ]; then
    from_nixpkgs "$(setting .bucketNix.nixpkgs)" nix "$BUCKET_NIX" ||
      fail BOOTSTRAP_NIX_BUCKETS "a Nix that can use buckets could not be had from nixpkgs" "see that this host reaches cache.nixos.org and GitHub, or install one and set nixPath"
  else
    [ -x "$path/bin/nix" ] || fail BOOTSTRAP_NIX_BUCKETS "the Nix that can use buckets is not there" "install it, or leave nixPath out" "$path" "a folder with bin/nix"
    ln -sfn "$path" "$BUCKET_NIX"
  fi
}

role() {
  local keys
  install_nix
  packages skopeo zstd git curl python3-pip xz-utils gpg gpgv debian-archive-keyring
  # Locked Debian packages come from the mirror of this host's apt, which names it only where it has its lists.
  [ -n "$(apt-get indextargets)" ] || apt_get update
  home
  member comfyui nix-users
  keys=$(setting '.authorizedKeys[]?' && admin_keys)
  with_other_stacks "$keys"
  keys=$(setting '.authorizedKeys[]')
  login_keys comfyui "$keys"
  [ -s /etc/ssh/comfyui/comfyui ] || fail BOOTSTRAP_NO_KEYS "nobody could log in as comfyui" "give at least one public key"
  sshd_settings 'Match User comfyui
  AuthorizedKeysFile /etc/ssh/comfyui/%u'
  # `nix path-info` of a cache is asked as comfyui.
  passwords comfyui
  remote_builders
  nix_conf "trusted-users = root
max-jobs = auto
cores = 0
min-free = $(gib .minFreeGiB)
max-free = $(gib .maxFreeGiB)
builders = @/etc/nix/machines
builders-use-substitutes = true
$(caches)"
  bucket_nix
  # Another stack's may not be there: its own bootstrap has failed then.
  nix_daemon "$([ "$(setting .bucketDaemon)" != true ] || [ ! -e "$BUCKET_NIX" ] || echo "$BUCKET_NIX")"
  answer role=build "nix=$(nix --version)" "system=$(uname -m)-linux" \
    "builderKey=$([ ! -e /etc/nix/builder_ed25519.pub ] || cut -d ' ' -f 1,2 /etc/nix/builder_ed25519.pub)"
}

bootstrap
