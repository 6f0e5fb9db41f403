# shellcheck shell=bash disable=SC2034
# A cache on a host of its own, as far as its readers see it; the rest is told by ops/cache-host.sh, which root runs there. Sourced
# by held.sh, which says what each function is for.

HELD_TOOLS=(ssh)

# It cannot list what it has: it is asked for all that the layers and images of this host refer to, and for what the request names.
held_infos() {
  local asked=$WORK/asked
  local_pins | grep '^/nix/store/' | LC_ALL=C sort -u | xargs -r nix-store --query --requisites >"$asked.local"
  { cat "$asked.local" && jq -r '.paths[] | "/nix/store/\(.)"' <<<"$REQUEST"; } | LC_ALL=C sort -u >"$asked"
  nix path-info --json --store "$CACHE_STORE" "${CACHE_ACCESS[@]}" --stdin <"$asked" 2>"$asked.said" | as_path_infos || {
    cat "$asked.said" >&2
    return 1
  }
}

held_files() {
  return 0
}

held_pins() {
  return 0
}

held_free() {
  return 0
}

held_alone() {
  return 0
}

held_drop_infos() {
  return 0
}

held_drop_files() {
  return 0
}

held_drop_pins() {
  return 0
}

held_unpin() {
  return 0
}
