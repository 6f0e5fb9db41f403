# The system's own packages. Sourced by ../setup.sh.
# shellcheck shell=bash

# command:package of Debian and Ubuntu
engine_tools=(flock:util-linux sha256sum:coreutils tar:tar gzip:gzip)
run_tools=("${engine_tools[@]}" skopeo:skopeo jq:jq zstd:zstd timeout:coreutils python3:python3 apt-get:apt dpkg-deb:dpkg)
test_tools=(zsh:zsh dockerd:docker.io docker:docker.io docker-registry:docker-registry umoci:umoci shellcheck:shellcheck
  unshare:util-linux nsenter:util-linux ip:iproute2 iptables:iptables debootstrap:debootstrap ssh:openssh-client ssh-keygen:openssh-client losetup:mount
  xz:xz-utils curl:curl git:git gpg:gnupg chromium:chromium)
lock_tools=(python3:python3 git:git jq:jq tar:tar flock:util-linux)

apt_updated=no
apt_failed=no # of what apt could not do, one problem is made

# as_root COMMAND...: false where this needs a question that set-up must not ask.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

can_be_root() {
  [ "$(id -u)" -eq 0 ] || { type -P sudo >/dev/null && sudo -n true 2>/dev/null; }
}

# apt_get ARG...: false, with the problem noted, where it fails.
apt_get() {
  local log=$local_dir/apt.log
  [ "$apt_failed" = no ] || return 1
  if slow "apt-get $*" "$log" elapsed as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 "$@"; then
    return 0
  fi
  apt_failed=yes
  problem SETUP_APT_FAILED "apt-get $1 failed" "run it by hand to see more: sudo apt-get $*" "$(last_said "$log" 3) ($log)" \
    "package lists and packages from the mirrors of this machine's apt"
  return 1
}

apt_update_once() {
  [ "$apt_updated" = no ] || return 0
  apt_get update || return 1
  apt_updated=yes
}

# apt_install PACKAGE...: false, with the problem noted, where it cannot be done.
apt_install() {
  if ! system_tool apt-get >/dev/null; then
    problem SETUP_TOOLS_MISSING "this machine lacks packages (Debian's names): $*" \
      "install them with this system's package manager, then run set-up again" "no apt-get" \
      "Debian or Ubuntu, where set-up installs them itself; the stack 'local' also reads Debian's package index with apt"
    return 1
  fi
  if ! can_be_root; then
    problem SETUP_TOOLS_MISSING "this machine lacks packages: $*" \
      "sudo apt-get install -y --no-install-recommends $*" "user $(id -un), and sudo is absent or asks for a password" \
      "root, or sudo without a password"
    return 1
  fi
  apt_update_once || return 1
  apt_get install --no-install-recommends "$@"
}

# has_tool NAME: also where an unprivileged user's PATH lacks the sbin folders.
has_tool() { PATH=$system_path:/usr/sbin:/sbin type -P "$1" >/dev/null; }

# The layers are made of Debian's packages, also on Ubuntu, which is without the keys that these are signed by.
has_debian_keyring() { [ -n "$(debian_keyring)" ]; }

# locks_name KEY: whether the flavor's locks name a file of this kind.
locks_name() { grep -qs "\"$1\": " "$root/layers/locks/$flavor"/*.lock.json; }

# missing_packages run|tests|lock|no-nix|node: what this machine lacks for that, one package a line.
missing_packages() {
  local pair wanted=()
  case "$1" in
    run) wanted+=("${run_tools[@]}") ;;
    tests) wanted+=("${run_tools[@]}" "${test_tools[@]}") ;;
    lock) wanted+=("${lock_tools[@]}") ;;
    no-nix) wanted+=("${engine_tools[@]}") ;;
  esac
  case "$1" in
    run | tests)
      ! locks_name git || wanted+=(git:git)
      ! locks_name url || wanted+=(curl:curl)
      has_debian_keyring || printf 'debian-archive-keyring\n'
      ;;
  esac
  case "$1" in
    node | lock) ;;
    *) if ! has_downloader && ! all_official; then wanted+=(curl:curl curl:ca-certificates); fi ;;
  esac
  for pair in "${wanted[@]}"; do
    has_tool "${pair%%:*}" || printf '%s\n' "${pair#*:}"
  done
  has_pip || ! wants_pip "$1" || printf 'python3-pip\n'
}

# wants_pip run|tests|lock|no-nix|node: for the layers' files, or for a program that is not there.
wants_pip() {
  case "$1" in run | tests | lock) return 0 ;; esac
  if ! system_node_fits && [ ! -d "$(wheel_folder node)" ]; then return 0; fi
  [ "$1" = no-nix ] && [ "$engine_way" = build ] && ! system_go_fits
}

# setup_packages run|tests|lock|no-nix|node
setup_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$1" | sort -u)
  if [ "${#missing[@]}" -eq 0 ]; then
    row "system tools" - PATH found
  elif apt_install "${missing[@]}"; then
    row "system tools" - apt "installed: ${missing[*]}"
  else
    row "system tools" - - "missing: ${missing[*]}"
  fi
  # Newer releases keep the client apart from docker.io.
  if [ "$1" = tests ] && has_tool dockerd && ! has_tool docker && apt_install docker-cli; then
    row "docker client" - apt "installed: docker-cli"
  fi
}
