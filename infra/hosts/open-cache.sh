#!/usr/bin/env bash
# open-cache.sh: makes the binary cache ready for use by this host: its signing key (fetched or made here where none is given), how to reach
# it, and whether this host's Nix may read it.
# stdin: the request of infra/request.ts (openCacheRequest), which may hold secrets; stdout: one JSON object, infra/answers.ts
# (cacheAnswer)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"
. "$HOSTS/cache.sh"
. "$HOSTS/aws/cli.sh"
. "$HOSTS/aws/cache-keys.sh"

need jq nix flock
read_request .cache.kind
use_cache
demand "${CACHE_WANTS[@]}" "${CACHE_OPEN_WANTS[@]}"
mkdir -p "$KEYS" "$STATE/locks"
chmod 700 "$KEYS"
exec 9>"$STATE/locks/cache-key.lock"
flock 9

# A secret goes from where it is kept to its file, never through a command line; a bad one takes no good one's place.
key=$CACHE_KEY.secret.new what="the signing key" restore="correct binaryCache.signingKey"
given=${ASKED[.cache.signingKey]-}
secret=${ASKED[.cache.secrets.signingKey]-}
rm -f -- "$key"
if [ -n "$secret" ]; then
  # A refresh alone looks at the version that the stack wrote, and not at the newest.
  what="the secret $secret" restore="have the stack write its key there again: pulumi up --replace '**comfyui-binary-cache-keys-signing-version'"
  need_aws "$(asked .cache.secrets.region)"
  fetch_secret "$secret" "$key" || secret_refused "$secret" "be read from"
elif [ -n "$given" ]; then
  (umask 077 && printf '%s\n' "$given" >"$key")
elif [ ! -e "$CACHE_KEY.secret" ]; then
  say "making a signing key for the cache"
  (umask 077 && nix key generate-secret --key-name "comfyui-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')-1" >"$key")
else
  key=$CACHE_KEY.secret what=$CACHE_KEY.secret restore="restore it from its backup, or remove the key and the cache together"
fi
public=$(nix key convert-secret-to-public <"$key") || fail CACHE_KEY_INVALID "$what is no Nix signing key" "$restore"
expected=${ASKED[.cache.publicKey]-}
[ -z "$expected" ] || [ "$public" = "$expected" ] ||
  fail CACHE_KEY_INVALID "$what is not the one that this stack trusts" "$restore" "$public" "$expected"
[ "$key" = "$CACHE_KEY.secret" ] || mv "$key" "$CACHE_KEY.secret"
printf '%s\n' "$public" >"$CACHE_KEY.public"

record_cache
cache_find
find_trust
[ "$NIX_TRUSTED" = true ] || demand_settings
cache_open
jq -cn --argjson opened "$CACHE_OPENED" --arg publicKey "$public" '$opened + {publicKey: $publicKey}'
