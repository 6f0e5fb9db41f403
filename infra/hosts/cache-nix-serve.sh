# shellcheck shell=bash disable=SC2034
# A binary cache on a host of its own, which serves its Nix store over HTTP; pushed to over SSH. Sourced by cache.sh, which says
# what each function is for. What is pushed is signed here: the cache's host knows the public key alone and refuses the rest.

. "$HOSTS/cache-remote.sh"

CACHE_OPEN_WANTS=(.stack .cache.url .cache.onFailure .cache.trusted .cache.push.host .cache.push.port .cache.push.user .cache.push.hostKey "${CACHE_KEY_WANTS[@]}")
[ -z "${ASKED[.cache.secrets]-}" ] || CACHE_OPEN_WANTS+=(.cache.secrets.pushKey)
CACHE_TOOLS=(ssh ssh-keygen)

# Public caches are asked for public paths: they say 40, the cache's server 50. A priority of the configuration wins over that.
cache_substituter() {
  local priority
  priority=$(recorded .priority)
  with_settings "$CACHE_STORE" ${priority:+"priority=$priority"}
}

cache_open() {
  [ -z "$MIRROR" ] || bucket_open "$MIRROR"
  open_push_key
  write_ssh_config
  write_netrc
  CACHE_OPENED=$(jq -cn --arg location "$CACHE_STORE" --arg pushKey "$(cut -d ' ' -f 1,2 "$KEYS/push.pub")" '{$location, $pushKey}')
}

# A key that opens nothing but the cache's push. The first host makes it, and its private half never leaves that host but for its
# secret, from which the next host has it.
open_push_key() {
  local secret
  secret=${ASKED[.cache.secrets.pushKey]-}
  rm -f -- "$KEYS/push.new" "$KEYS/push.new.pub"
  if [ -n "$secret" ] && fetch_secret "$secret" "$KEYS/push.new"; then
    ssh-keygen -y -P '' -f "$KEYS/push.new" >"$KEYS/push.new.pub" ||
      fail CACHE_KEY_INVALID "the secret $secret holds no SSH private key" \
        "put the key there again, or have a new one made: 'aws secretsmanager delete-secret --force-delete-without-recovery --secret-id $secret', then 'pulumi up --refresh'"
    take_push_key
    return
  fi
  if [ ! -e "$KEYS/push" ]; then
    ssh-keygen -q -t ed25519 -N '' -C comfyui-push -f "$KEYS/push.new"
    take_push_key
  fi
  [ -z "$secret" ] || put_secret "$secret" "$KEYS/push"
}

take_push_key() {
  mv "$KEYS/push.new.pub" "$KEYS/push.pub"
  mv "$KEYS/push.new" "$KEYS/push"
}

# Files are named as seen from KEYS, where ssh is run: no path can be misread. Nothing of this user's own settings counts.
write_ssh_config() {
  printf 'comfyui-cache %s\n' "$(recorded .push.hostKey | cut -d ' ' -f 1,2)" >"$KEYS/known_hosts"
  cat >"$KEYS/ssh_config" <<END
Host comfyui-cache
  HostName $(recorded .push.host)
  Port $(recorded .push.port)
  User $(recorded .push.user)
  HostKeyAlias comfyui-cache
  UserKnownHostsFile known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  UpdateHostKeys no
  IdentityFile push
  IdentitiesOnly yes
  IdentityAgent none
  BatchMode yes
  ConnectTimeout 20
  ServerAliveInterval 15
  ServerAliveCountMax 4
  LogLevel ERROR
END
}

write_netrc() {
  rm -f -- "$CACHE_NETRC"
  [ -n "${ASKED[.cache.auth]-}" ] || return 0
  (umask 077 && jq -r '"machine \(.cache.url | sub("^[a-z]+://"; "") | sub("[:/].*"; "")) login \(.cache.auth.user) password \(.cache.auth.password)"' <<<"$REQUEST" >"$CACHE_NETRC")
}

cache_send() {
  nix store sign --recursive --key-file "$CACHE_KEY.secret" --stdin <"$1" 2>"$WORK/signing" || { cat "$WORK/signing" && return 1; }
  (cd -- "$KEYS" && NIX_SSHOPTS="-F ssh_config" nix copy --stdin --to ssh://comfyui-cache <"$1")
}

cache_send_failed() {
  local last
  last=$(tail -n 3 <<<"$1")
  case $1 in
    *"Host key verification failed"* | *"IDENTIFICATION HAS CHANGED"*)
      fail HOST_KEY_MISMATCH "the cache's host $(recorded .push.host) has another SSH key than the configuration says" \
        "if the host was replaced, set binaryCache.host.hostKey to its key; otherwise find out who answers there" "$last" "$(recorded .push.hostKey)" ;;
    *"Permission denied"*)
      fail CACHE_LOGIN_REFUSED "the cache's host $(recorded .push.host) does not know this host's push key" \
        "bootstrap the cache's host again with this key among its pushKeys" "$last" "$(cut -d ' ' -f 1,2 "$KEYS/push.pub")" ;;
    *"lacks a signature by a trusted key"* | *"lacks a valid signature"*)
      fail CACHE_REFUSED "the cache's host $(recorded .push.host) does not trust this stack's signing key" \
        "bootstrap the cache's host again with this key among its publicKeys" "$last" "$(cat "$CACHE_KEY.public")" ;;
    # What cache-push.sh says before the disk is full to the brim, or Nix after it.
    *"error[CACHE_DISK_FULL]"* | *"No space left on device"* | *"disk is full"*)
      cache_outage CACHE_DISK_FULL "the disk of the cache $CACHE_NAME is full" "make room there (its garbage collector, or a larger volume), then run 'pulumi up' again" \
        "$(sed -n 's/^ *found: *//p' <<<"$1" | grep . || printf '%s' "$last")" "$(sed -n 's/^ *expected: *//p' <<<"$1")" ;;
    *)
      cache_outage CACHE_PUSH_FAILED "could not copy to the cache $CACHE_NAME: $last" "see that its host $(recorded .push.host) runs and that this host reaches its SSH server, then run 'pulumi up' again" ;;
  esac
}

cache_pin() {
  (cd -- "$KEYS" && ssh -F ssh_config comfyui-cache pin "$(recorded .stack)/$1" "${@:2}")
}

cache_signature_fix() {
  printf "if an earlier key of this stack signed them, add its public half to binaryCache.trusted; otherwise 'nix store delete' these paths on the cache's host; then run 'pulumi up' again"
}
