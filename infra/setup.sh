#!/usr/bin/env bash
# Finds or installs what the stack `local` needs, all of it under .local/ but for the system's own packages and /nix:
#   bash infra/setup.sh                what `npm run quickstart` needs
#   bash infra/setup.sh --tests        and what the tests and the benchmark need
#   bash infra/setup.sh --lock         what `npm run lock` needs, and nothing else
#   bash infra/setup.sh --no-nix       only what a preview needs, and `up` of a stack with a build host of its own
#   bash infra/setup.sh --node         Node.js and npm alone, for npm.sh
#   --flavor FLAVOR                    the files of this flavor of layers.json (default: sample)
#   --file PATH                        a file that this flavor's locks name and nobody serves; may be repeated
#   --source NAME=FOLDER               a checkout of this flavor's git source NAME, whose site is out of reach; may be repeated
# Safe to run again. Changes no tracked file and no global configuration.
#   COMFYUI_DOWNLOADS                  where it keeps what it makes and downloads, for other checkouts too (default: .local/downloads)
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
local_dir=$root/.local

# npm runs scripts in the project's folder; a path is meant from where the user was.
absolute() { (cd -- "${INIT_CWD:-$PWD}" && readlink -m -- "$1"); }

downloads=$(absolute "${COMFYUI_DOWNLOADS:-$local_dir/downloads}")
export COMFYUI_DOWNLOADS=$downloads PULUMI_HOME=$local_dir/pulumi PULUMI_SKIP_UPDATE_CHECK=1

# shellcheck source-path=SCRIPTDIR
# shellcheck source=hosts/common.sh
. "$root/infra/hosts/common.sh"
# shellcheck source=hosts/debian-apt.sh
. "$root/infra/hosts/debian-apt.sh"
# shellcheck source=setup/report.sh
. "$root/infra/setup/report.sh"
# shellcheck source=setup/kept.sh
. "$root/infra/setup/kept.sh"
# shellcheck source=setup/packages.sh
. "$root/infra/setup/packages.sh"
# shellcheck source=setup/wheels.sh
. "$root/infra/setup/wheels.sh"
# shellcheck source=setup/node.sh
. "$root/infra/setup/node.sh"
# shellcheck source=setup/engine.sh
. "$root/infra/setup/engine.sh"
# shellcheck source=setup/pulumi.sh
. "$root/infra/setup/pulumi.sh"
# shellcheck source=setup/nix.sh
. "$root/infra/setup/nix.sh"
# shellcheck source=setup/state.sh
. "$root/infra/setup/state.sh"
# shellcheck source=setup/plan.sh
. "$root/infra/setup/plan.sh"

system_path=$(outside_path "$PATH")

arguments="bash infra/setup.sh [--tests | --lock | --no-nix] [--flavor FLAVOR] [--file PATH]... [--source NAME=FOLDER]..."

usage() { fail SETUP_USAGE "$1" "$arguments" "$2" "$3"; } # PROBLEM FOUND EXPECTED

parse_arguments() {
  purpose=run flavor=sample given_files=() sources=()
  while [ "$#" -gt 0 ]; do
    case "$1" in
      --tests) purpose=tests node_min=24.0 ;; # the tests clean up with `await using`
      --lock) purpose=lock ;;
      --no-nix) purpose=no-nix ;;
      --node) purpose=node ;;
      --flavor | --file | --source)
        [ -n "${2:-}" ] || usage "$1 names nothing" "$1" "$1 and a value"
        case "$1" in
          --flavor) flavor=$2 ;;
          --file) given_files+=("$(absolute "$2")") ;;
          --source) sources+=("$2") ;;
        esac
        shift
        ;;
      *) usage "unknown argument" "$1" "--tests, --lock, --no-nix, --flavor FLAVOR, --file PATH or --source NAME=FOLDER" ;;
    esac
    shift
  done
  if [[ ! $flavor =~ ^[a-z0-9-]+$ ]] || [ ! -d "$root/layers/locks/$flavor" ]; then
    usage "there are no locks of this flavor" "$flavor" "$(cd "$root/layers/locks" && echo *)"
  fi
  check_given
}

# What is given by hand is there, and the flavor has such sources: seen before anything is installed. Whether it is what is locked
# shows when there is a Nix.
check_given() {
  local at name folder known seen=''
  known=$(sed -n 's/^ *{"git": .*"name": "\([^"]*\)".*/\1/p' "$root/layers/locks/$flavor"/*.lock.json | paste -sd ' ')
  for folder in "${given_files[@]}"; do
    [ -r "$folder" ] || problem SETUP_USAGE "a file cannot be read" "$arguments" "$folder" "a file that is there"
  done
  for at in "${!sources[@]}"; do
    name=${sources[at]%%=*} folder=$(absolute "${sources[at]#*=}")
    if [[ ${sources[at]} != ?*=?* ]]; then
      problem SETUP_USAGE "--source says no folder for a name" "$arguments" "${sources[at]}" "NAME=FOLDER"
      continue
    fi
    [[ " $known " == *" $name "* ]] || problem SETUP_USAGE "flavor $flavor has nothing of this name from git" "$arguments" "$name" "${known:-no --source}"
    [[ " $seen" != *" $name "* ]] || problem SETUP_USAGE "a source is given twice" "$arguments" "$name" "one folder for each name"
    [ -d "$folder" ] || problem SETUP_USAGE "a checkout is no folder" "$arguments" "$folder" "a folder that is there"
    seen+="$name " sources[at]=$name=$folder
  done
  [ "${#problems[@]}" -eq 0 ] || { printf '%s\n\n' "${problems[@]}" >&2 && exit 1; }
}

check_platform() {
  [ "$(uname -s)/$(uname -m)" != Linux/x86_64 ] || return 0
  fail SETUP_PLATFORM "the stack 'local' builds and runs on this machine, which is another kind" \
    "use a Linux x86_64 machine, or a stack with a build host of its own" "$(uname -s)/$(uname -m)" "Linux/x86_64"
}

# Two set-ups of one checkout take turns. Where flock is not there yet, the machine is so new that nothing else runs.
take_turn() {
  type -P flock >/dev/null || return 0
  exec 9>"$local_dir/setup.lock"
  flock -n 9 && return 0
  progress "waiting for another set-up of this checkout"
  flock 9
}

main() {
  parse_arguments "$@"
  check_platform
  mkdir -p "$local_dir/bin" || fail SETUP_FOLDER "cannot write to this checkout" "make it writable for $(id -un)" "$local_dir"
  take_turn
  make_plan
  tell_plan
  setup_packages "$purpose"
  setup_node
  case "$purpose" in
    node) ;;
    lock)
      by_hand="node infra/lock.ts --help"
      setup_npm_packages
      setup_uv
      setup_environment
      ;;
    *) setup_stack_tools ;;
  esac
  tell_failed_wheels
  # What npm.sh runs then has more to say.
  if [ "$purpose" != node ] || [ "${#problems[@]}" -gt 0 ]; then finish; fi
}

# What the engine and its stack want.
setup_stack_tools() {
  [ "$purpose" != no-nix ] || by_hand="pulumi preview"
  setup_npm_packages
  [ "$purpose" != tests ] || setup_test_tools
  setup_pulumi
  setup_plugin
  setup_nix
  setup_environment
  setup_store
  setup_stack
  setup_downloads
}

main "$@"
