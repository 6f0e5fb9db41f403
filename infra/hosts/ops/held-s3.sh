# shellcheck shell=bash disable=SC2034
# A cache in a bucket. Sourced by held.sh, which says what each function is for. Without the AWS CLI it is what its readers see.

. "$HOSTS/ops/held-nix-serve.sh"
HELD_TOOLS=()
if ! has_aws; then
  HELD_LACKS="AWS CLI (https://aws.amazon.com/cli/)"
  return 0
fi

# objects: the listing that all of this run goes by, but for locks; made once.
objects() {
  if [ ! -e "$WORK/objects" ]; then
    bucket_list "" | awk '$1 !~ /^locks\//' | LC_ALL=C sort >"$WORK/objects.new"
    mv -- "$WORK/objects.new" "$WORK/objects"
  fi
  cat -- "$WORK/objects"
}

held_infos() {
  objects >/dev/null
  bucket_fetch "" '*.narinfo' "$WORK/narinfos"
  find "$WORK/narinfos" -maxdepth 1 -name '*.narinfo' -print0 | LC_ALL=C sort -z | xargs -0 -r cat
}

held_files() {
  objects | awk '$1 ~ /^nar\// { print $2, $1 }'
}

# The first line, which is no pin, is of all objects: a plan is good only for the bucket that it was made of, since what an
# unfinished push brought is told by its archives and infos, and not by a pin.
held_pins() {
  local key time
  printf 'Objects: %s\n' "$(objects | sha256sum | cut -c 1-64)"
  bucket_fetch pins/ '*/paths' "$WORK/pinned"
  objects | awk '$1 ~ /^pins\/.*\/paths$/ { print $1, $3 }' | while read -r key time; do
    key=${key#pins/}
    [ -e "$WORK/pinned/$key" ] || continue
    printf 'Pin: %s %s\n' "${key%/paths}" "$time"
    cat -- "$WORK/pinned/$key"
  done
}

held_alone() {
  BUCKET_LOCK=$(bucket_lock_name collection)
  bucket_lock collection push "$PUSH_COUNTS"
}

held_drop_infos() {
  sed -E 's|^([0-9a-z]{32})-.*$|\1.narinfo|' "$1" | bucket_drop
}

held_drop_files() {
  bucket_drop <"$1"
}

held_drop_pins() {
  sed 's|^|pins/|; s|$|/paths|' "$1" | bucket_drop
}

held_unpin() {
  bucket_drop <<<"pins/$1/paths"
}
