#!/usr/bin/env bash
# open-cache.sh: makes the binary cache's folder and its signing key where they are not there.
# stdin {cache: {kind, path}}, stdout {"location","publicKey"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need jq nix flock
read_request .cache.path
cache=$(cache_folder)
mkdir -p "$cache" "$KEYS" "$STATE/locks"
chmod 700 "$KEYS"
exec 9>"$STATE/locks/cache-key.lock"
flock 9
if [ ! -e "$KEYS/cache.secret" ]; then
  say "making a signing key for the cache"
  (umask 077 && nix key generate-secret --key-name "comfyui-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')-1" >"$KEYS/cache.secret.new")
  mv "$KEYS/cache.secret.new" "$KEYS/cache.secret"
fi
public=$(nix key convert-secret-to-public <"$KEYS/cache.secret") ||
  fail CACHE_KEY_INVALID "$KEYS/cache.secret is no Nix signing key" "restore it from its backup, or remove the key and the cache together"
printf '%s\n' "$public" >"$KEYS/cache.public"
# Nix writes this file with its first push; with it the folder is a cache from the start.
[ -e "$cache/nix-cache-info" ] || printf 'StoreDir: /nix/store\n' >"$cache/nix-cache-info"
jq -cn --arg location "file://$cache" --arg publicKey "$public" '{location: $location, publicKey: $publicKey}'
