# What the checkout keeps under .local/: the environment to source, and the stack. Sourced by ../setup.sh.
# shellcheck shell=bash

# quoted TEXT: as one word of any POSIX shell.
quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# A trusted user's settings count under a daemon too, so both cases get the same, but for build-users-group: root that
# builds without a daemon on a machine without the group could not build at all.
nix_settings() {
  printf '%s\n' 'experimental-features = nix-command flakes' 'flake-registry =' 'always-allow-substitutes = true' \
    'sandbox = true' 'sandbox-fallback = false' 'sandbox-paths =' 'substituters =' 'max-jobs = auto'
  if [ "$(id -u)" -eq 0 ] && ! getent group nixbld >/dev/null; then printf '%s\n' 'build-users-group ='; fi
}

env_text() {
  cat <<EOF
# Written by infra/setup.sh; written anew where it differs. To be sourced: . .local/env.sh
COMFYUI_ROOT=$(quoted "$root")
case \$PATH: in "\$COMFYUI_ROOT/.local/bin:"*) ;; *) PATH=\$COMFYUI_ROOT/.local/bin:\$PATH ;; esac
PULUMI_HOME=\$COMFYUI_ROOT/.local/pulumi
PULUMI_BACKEND_URL=$(quoted "file://$(in_url "$local_dir/backend")")
PULUMI_CONFIG_PASSPHRASE_FILE=\$COMFYUI_ROOT/.local/passphrase
unset PULUMI_CONFIG_PASSPHRASE # would win over the file
PULUMI_STACK=local
PULUMI_CONTINUE_ON_ERROR=true
PULUMI_SKIP_UPDATE_CHECK=1
PULUMI_IGNORE_AMBIENT_PLUGINS=true # plugins come from PULUMI_HOME, never from PATH
NODE_COMPILE_CACHE=\$COMFYUI_ROOT/.local/node-cache # what is compiled once is kept: a preview takes a fifth less
NIX_CONFIG=$(quoted "$(nix_settings)")
export COMFYUI_ROOT PATH PULUMI_HOME PULUMI_BACKEND_URL PULUMI_CONFIG_PASSPHRASE_FILE PULUMI_STACK PULUMI_CONTINUE_ON_ERROR
export PULUMI_SKIP_UPDATE_CHECK PULUMI_IGNORE_AMBIENT_PLUGINS NODE_COMPILE_CACHE NIX_CONFIG
EOF
  # What `up` fetches goes where set-up keeps what it fetched.
  if [ "$downloads" != "$local_dir/downloads" ]; then printf 'export COMFYUI_DOWNLOADS=%s\n' "$(quoted "$downloads")"; fi
  if stand_ins_used; then printf '%s\n' 'export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true # their download site was out of reach'; fi
}

# write_file FILE MODE: standard input, only where it differs.
write_file() {
  local text
  text=$(cat)
  if [ -e "$1" ] && [ "$(cat "$1")" = "$text" ]; then return 0; fi
  (umask 077 && printf '%s\n' "$text" >"$1.new")
  chmod "$2" "$1.new"
  mv -f -- "$1.new" "$1"
}

setup_environment() {
  mkdir -p "$local_dir/backend" "$local_dir/pulumi"
  env_text | write_file "$local_dir/env.sh" 644
  # No secret: the stack `local` has none, and Pulumi wants a passphrase all the same.
  printf 'local\n' | write_file "$local_dir/passphrase" 600
  # shellcheck source=/dev/null
  . "$local_dir/env.sh"
}

setup_stack() {
  local project state=found log=$local_dir/stack.log
  [ "$have_pulumi" = yes ] || return 0
  project=$(awk '/^name:/ { print $2 }' "$root/Pulumi.yaml")
  if [ ! -f "$local_dir/backend/.pulumi/stacks/$project/local.json" ]; then
    if ! (cd "$root" && pulumi stack init local --non-interactive --color never) >"$log" 2>&1; then
      problem SETUP_STACK_FAILED "the stack local could not be made: $(tail -n 2 "$log" | tr '\n' ' ')" "see $log"
      return 0
    fi
    state=installed
  fi
  row "stack local" - .local/backend "$state"
}

# The files that the layers are made of, into the Nix store.
setup_downloads() {
  local request answer present downloaded bytes names state=found
  [ "$have_nix" = yes ] || return 0
  request=$(jq -cn --arg flavor "$flavor" --argjson protocol "$PROTOCOL" --argjson files "${#given_files[@]}" \
    '{$protocol, $flavor, relock: true, given: $ARGS.positional[:$files], sources: $ARGS.positional[$files:]}' --args -- "${given_files[@]}" "${sources[@]}")
  if ! answer=$(bash "$root/infra/hosts/prefetch.sh" <<<"$request") ||
    ! read -r present downloaded bytes names < <(jq -er '"\(.present) \(.downloaded) \(.bytes) \([.relocked[].name] | join(" "))"' <<<"$answer"); then
    row "layers' files" - /nix/store missing
    problem SETUP_DOWNLOADS_FAILED "not every file that the layers are made of could be fetched" \
      "see the message above; then run set-up again, which goes on from there"
    return 0
  fi
  [ "$downloaded" -eq 0 ] || state="installed: $downloaded files, $((bytes / 1000000)) MB"
  row "layers' files" "$((present + downloaded))" /nix/store "$state"
  [ -z "$names" ] || row "locked anew" - "Debian's mirror" "installed: $names"
}
