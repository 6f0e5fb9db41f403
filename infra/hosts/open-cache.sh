#!/usr/bin/env bash
# open-cache.sh: makes the binary cache ready for use, and its signing key where there is none.
# stdin {cache: {kind, …}}, stdout {"location","publicKey"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/cache.sh"

need jq nix flock
read_request .cache.kind
use_cache
mkdir -p "$KEYS" "$STATE/locks"
chmod 700 "$KEYS"
exec 9>"$STATE/locks/cache-key.lock"
flock 9
if [ ! -e "$CACHE_KEY.secret" ]; then
  say "making a signing key for the cache"
  (umask 077 && nix key generate-secret --key-name "comfyui-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')-1" >"$CACHE_KEY.secret.new")
  mv "$CACHE_KEY.secret.new" "$CACHE_KEY.secret"
fi
public=$(nix key convert-secret-to-public <"$CACHE_KEY.secret") ||
  fail CACHE_KEY_INVALID "$CACHE_KEY.secret is no Nix signing key" "restore it from its backup, or remove the key and the cache together"
printf '%s\n' "$public" >"$CACHE_KEY.public"
cache_open
jq -cn --argjson opened "$CACHE_OPENED" --arg publicKey "$public" '$opened + {publicKey: $publicKey}'
