# shellcheck shell=bash
# What root of a cache host does for the operators: a text of REQUEST (JSON), messages.sh, path-infos.sh and this, for root's shell.
# Requests: {do: "inventory"}, {do: "drop", digest, pins, paths}, {do: "unpin", pin}, {do: "sign", infos}, {do: "repair", infos}.
# infos: texts of .narinfo files. Answers are one JSON object.
set -euo pipefail

readonly ROOTS=/nix/var/nix/gcroots/comfyui
export NIX_CONFIG=$'extra-experimental-features = nix-command\nsubstituters ='

# wanted FILTER
wanted() {
  jq -r "$1" <<<"$REQUEST"
}

# all_pins: as held_pins of infra/hosts/ops/held.sh.
all_pins() {
  find "$ROOTS" -type l -printf '%P %T@ %l\n' | awk '{ name = $1; sub(/\/[^\/]*$/, "", name); print name, $2, $3 }' | LC_ALL=C sort |
    awk '$1 != name { name = $1; print "Pin: " $1, $2 } { print $3 }'
}

inventory() {
  nix path-info --json --all 2>/dev/null | as_path_infos >infos
  all_pins >pins
  # Roots that are none of the stacks': the server's program, what an administrator installed.
  nix-store --gc --print-roots 2>/dev/null | awk -v ours="$ROOTS/" 'index($1, ours) != 1 { print $NF }' | sort -u >others
  jq -cn --rawfile infos infos --rawfile pins pins --arg digest "$(sha256sum <pins | cut -c 1-64)" --rawfile others others \
    --argjson free "$(df --output=avail -B1 /nix/store | tail -n 1)" \
    '{$infos, $pins, $digest, others: [$others | split("\n")[] | select(startswith("/nix/store/")) | ltrimstr("/nix/store/")], freeBytes: $free}'
}

# drop: the pins first, since Nix takes away nothing that one keeps. What is pushed at this moment Nix keeps by itself.
drop() {
  local pin path portion
  if [ "$(all_pins | sha256sum | cut -c 1-64)" != "$(wanted .digest)" ]; then
    printf '{"done":false}\n'
    return
  fi
  while IFS= read -r pin; do
    find "$ROOTS/$pin" -maxdepth 1 -type l -delete
  done < <(wanted '.pins[]')
  find "$ROOTS" -mindepth 1 -type d -empty -delete
  mapfile -t paths < <(wanted '.paths[] | "/nix/store/\(.)"')
  for ((at = 0; at < ${#paths[@]}; at += 100)); do
    say "taking paths away: $at of ${#paths[@]}"
    portion=("${paths[@]:at:100}")
    nix-store --delete "${portion[@]}" >/dev/null 2>&1 || for path in "${portion[@]}"; do
      nix-store --delete "$path" >/dev/null 2>said || ! nix-store --check-validity "$path" 2>/dev/null || say "$path stays: $(grep -o 'still alive' said || tail -n 1 said)"
    done
  done
  printf '{"done":true}\n'
}

unpin() {
  rm -rf -- "${ROOTS:?}/$(wanted .pin)"
  printf '{"done":true}\n'
}

# infos_as_cache: the request's infos as a cache in the folder `infos`, and their paths, a line each, in the file `paths`.
infos_as_cache() {
  mkdir infos
  printf 'StoreDir: /nix/store\n' >infos/nix-cache-info
  wanted .infos | awk '/^StorePath: / { file = "infos/" substr($2, 12, 32) ".narinfo"; print $2 >"paths" } NF { print >file }'
}

# sign: adds the signatures of these texts to the paths that have the same contents here.
sign() {
  infos_as_cache
  xargs -r nix store copy-sigs --substituter "file://$PWD/infos" <paths 2>said ||
    fail CACHE_SIGN "the cache's host could not add signatures: $(tail -n 1 said)" "look at the disk of /nix there; then run it again"
  printf '{"done":true}\n'
}

# repair: gives these paths the contents and signatures of these texts, whatever is there, and whatever keeps or refers to it. Their
# URLs are `nar/` and the store's name of an archive that was pushed as a file of its own; these files go.
repair() {
  local path
  infos_as_cache
  ln -s /nix/store infos/nar
  while IFS= read -r path; do
    say "putting in order: $path"
    nix-store --repair-path "$path" --option substituters "file://$PWD/infos" </dev/null >said 2>&1 ||
      fail CACHE_REPAIR "the cache's host could not put $path in order: $(tail -n 1 said)" "look at the disk of /nix there; then run it again"
  done <paths
  wanted .infos | sed -n 's|^URL: nar/|/nix/store/|p' | xargs -r nix-store --delete >/dev/null 2>&1 || say "archives stay until the next collection"
  printf '{"done":true}\n'
}

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cd -- "$work"
"$(wanted .do)"
