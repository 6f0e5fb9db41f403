# shellcheck shell=bash
# Objects of the bucket that is the cache, by the AWS CLI: what Nix's own store for S3 cannot do (list, delete, keep other files).
# Sourced by cache-s3.sh; functions need cache_find, and bucket_drop needs WORK.
#
# A bucket has no lock; S3's answers have been consistent since 2020, so objects are one. A push writes `locks/push/OWN`, then looks
# for `locks/collection/`; where there is one it takes its own away and waits. A collection writes `locks/collection/OWN`, then
# waits until no `locks/push/` is left. Whichever wrote first, one of the two sees the other: never does a push take a path for
# present, or an archive, that a collection is about to take away. A host without the CLI takes no lock: what it pushes while a
# collection goes on may refer to what goes; `ops cache verify --mend` puts that in order.

# How long the lock of one who may have been killed counts, in seconds: a push may take hours, a collection writes its own again.
# shellcheck disable=SC2034  # read by the scripts that source this file
readonly PUSH_COUNTS=21600 COLLECTION_COUNTS=900
# The object that this run holds as its lock; whether the CLI runs, once it is known.
BUCKET_LOCK="" HAS_AWS=""

# has_aws: whether this host has a CLI that runs.
has_aws() {
  [ -n "$HAS_AWS" ] || HAS_AWS=$(aws --version >/dev/null 2>&1 && printf true || printf false)
  [ "$HAS_AWS" = true ]
}

# bucket_setting NAME: of the bucket's URL; nothing where it says nothing.
bucket_setting() {
  local value
  value=$(sed -n -E "s/^[^?]*\?(.*&)?$1=([^&]*).*$/\2/p" <<<"$CACHE_STORE")
  printf '%b' "${value//%/\\x}"
}

bucket_name() {
  sed -E 's|^s3://([^/?]+).*$|\1|' <<<"$CACHE_STORE"
}

# bucket_aws WORD...: the CLI, by the address that Nix uses; ends the script where AWS says no.
bucket_aws() {
  local options=() region endpoint profile scheme said
  region=$(bucket_setting region) endpoint=$(bucket_setting endpoint) profile=$(bucket_setting profile) scheme=$(bucket_setting scheme)
  case $endpoint in "") ;; *://*) options+=(--endpoint-url "$endpoint") ;; *) options+=(--endpoint-url "${scheme:-https}://$endpoint") ;; esac
  [ -z "$profile" ] || options+=(--profile "$profile")
  { said=$(AWS_PAGER='' aws "${options[@]}" --region "${region:-us-east-1}" "$@" 2>&1 >&3); } 3>&1 ||
    fail AWS_REQUEST "AWS did not do what was asked of the bucket $(bucket_name) ('aws $1 $2')" "see that the bucket is there and what this host's credentials may do with it" "$(grep -v '^$' <<<"$said" | tail -n 1)"
}

# bucket_list PREFIX: a line KEY SIZE TIME ETAG for each object.
bucket_list() {
  bucket_aws s3api list-objects-v2 --bucket "$(bucket_name)" --prefix "$1" --output json |
    jq -r '(.Contents // [])[] | [.Key, .Size, (.LastModified[:19] + "Z" | fromdateiso8601), .ETag] | join(" ")'
}

# bucket_put KEY: the object from stdin.
bucket_put() {
  bucket_aws s3 cp --only-show-errors - "s3://$(bucket_name)/$1"
}

# bucket_fetch PREFIX PATTERN FOLDER: the objects below it whose names match.
bucket_fetch() {
  mkdir -p -- "$3"
  bucket_aws s3 cp --only-show-errors --recursive --exclude '*' --include "$2" "s3://$(bucket_name)/$1" "$3"
}

# bucket_drop: the objects whose keys are on stdin, a thousand a request, in their order.
bucket_drop() {
  local portion answer
  while mapfile -t -n 1000 portion && [ "${#portion[@]}" -gt 0 ]; do
    jq -cn '{Objects: [$ARGS.positional[] | {Key: .}], Quiet: true}' --args "${portion[@]}" >"$WORK/delete.json"
    answer=$(bucket_aws s3api delete-objects --bucket "$(bucket_name)" --delete "file://$WORK/delete.json" --output json </dev/null) || exit
    # One that it keeps is told in an answer that is a success.
    answer=$(jq -r '(.Errors // [])[] | "\(.Key): \(.Code) \(.Message)"' <<<"$answer")
    [ -z "$answer" ] || fail AWS_REQUEST "the bucket $(bucket_name) keeps objects that were to go" "let this host's credentials delete its objects (s3:DeleteObject)" "$(head -n 3 <<<"$answer")"
    [[ $BUCKET_LOCK != locks/collection/* ]] || bucket_put "$BUCKET_LOCK" </dev/null
  done
}

# bucket_locks PREFIX SECONDS: the locks that count.
bucket_locks() {
  bucket_list "$1" | awk -v since="$(($(date +%s) - $2))" '$3 >= since { print $1 }'
}

# bucket_lock KIND OTHER SECONDS: holds a lock while none of OTHER counts. In the wait a push has no lock, a collection has. What it
# waits for is told on the file descriptor that WAITING names.
bucket_lock() {
  local tries=${COMFYUI_TRIES:-200} others
  while :; do
    bucket_put "$BUCKET_LOCK" </dev/null
    others=$(bucket_locks "locks/$2/" "$3") || exit
    [ -n "$others" ] || return 0
    tries=$((tries - 1))
    if [ "$tries" -le 0 ] || [ "$1" = push ]; then bucket_drop_lock; fi
    [ "$tries" -gt 0 ] || fail CACHE_BUSY "the bucket $(bucket_name) is in use, and was all the time that this waited" \
      "run it again when that has ended; where it was killed, delete the object" "$(head -n 3 <<<"$others")" "no object in locks/$2/"
    say "waiting for $(head -n 1 <<<"$others") in the bucket to end" 2>&"${WAITING:-2}"
    sleep 5
  done
}

bucket_drop_lock() {
  bucket_aws s3 rm --only-show-errors "s3://$(bucket_name)/$BUCKET_LOCK"
}

# bucket_lock_name KIND: of this run.
bucket_lock_name() {
  printf 'locks/%s/%s.%s.%s' "$1" "$(recorded .stack)" "$(uname -n)" "$$"
}

# bucket_unlock: takes the lock of this run away, where it holds one. One that cannot be taken away counts for its time.
bucket_unlock() {
  local problem
  [ -n "$BUCKET_LOCK" ] || return 0
  problem=$(bucket_drop_lock 2>&1) || say "warning[CACHE_NO_PINS]: $BUCKET_LOCK stays in the bucket, where nothing can be collected for some hours: $(sed -n 's/^ *found: *//p' <<<"$problem")"
  BUCKET_LOCK=""
}
