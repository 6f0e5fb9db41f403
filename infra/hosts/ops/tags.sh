# Tags of an image's repository: sourced, never run.
# shellcheck shell=bash

. "$HOSTS/registry.sh"

# digest_of TAG: digest of the manifest that the opened repository has under this tag; nothing where it has none.
digest_of() {
  local REFERENCE=${REFERENCE%:*}:$1
  published_digest
}

# all_tags: a line each; none where nothing was published yet.
all_tags() {
  local said
  if [ -n "$LAYOUT" ]; then
    [ ! -e "$LAYOUT/index.json" ] || jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"] // empty' "$LAYOUT/index.json"
  elif said=$(skopeo list-tags "${INSPECT[@]}" "${REFERENCE%:*}" 2>"$WORK/tags.log"); then
    jq -r '.Tags[]' <<<"$said"
  else
    grep -q -i -E 'name unknown|repository name not known|not found' "$WORK/tags.log" ||
      fail PUBLISH_REGISTRY "the registry could not be asked for the tags of ${REFERENCE%:*}: $(tail -n 1 "$WORK/tags.log")" \
        "check its address, TLS and this host's login ('skopeo login')"
  fi
}

# set_tag TAG FROM: TAG is the image with the tag FROM now. Its digest, read back, into DIGEST.
set_tag() {
  local base=${REFERENCE%:*} expected
  expected=$(digest_of "$2")
  [ -n "$expected" ] || fail IMAGE_MISSING "the registry has no image $base:$2" "name another tag: those of the history are in 'npm run ops -- rollback --dry-run'"
  if ! skopeo --insecure-policy copy --all --preserve-digests --retry-times 3 "${INSPECT[@]/#--tls/--src-tls}" "${COPY[@]}" "$base:$2" "$base:$1" >/dev/null 2>"$WORK/set.log"; then
    ! grep -q -i immutable "$WORK/set.log" ||
      fail PROMOTE_TAG_FIXED "the tag $1 may not move: tags of $base do not change" \
        "name a tag that may: --tag; on ECR those of the repository's exclusions from immutability (a stack's own: stable, live-*)" "$(tail -n 1 "$WORK/set.log")"
    fail PUBLISH_FAILED "the tag $1 could not be set in $base: $(tail -n 1 "$WORK/set.log")" "check that the registry is reachable and that this host is logged in ('skopeo login')"
  fi
  DIGEST=$(digest_of "$1")
  [ "$DIGEST" = "$expected" ] || fail PUBLISH_DIGEST "the registry answers with another image than the one that $base:$1 was set to" "check the registry's storage, then run the command again" "$DIGEST" "$expected"
}
