# A build to its end: what this host can take out of its way is taken out of its way. Sourced after run.sh, never run.
# shellcheck shell=bash

. "$HOSTS/disk.sh"

# A locked file is in none of the caches either; layers/package-sets/debian/files.nix says so.
readonly LOCKED_FILE_MISSING='is not in the Nix store: run |missing-from-the-store'
readonly DISK_FULL='No space left on device|database or disk is full'
# A connection to a builder of Nix's ended in the middle; without one a build has no place. A build that failed there says
# neither.
readonly BUILDER_LOST='^(error|warning): .*(Nix daemon disconnected unexpectedly|unexpected EOF|unexpected end-of-file|failed to start SSH connection|cannot connect to .ssh|Broken pipe)'
readonly BUILDER_UNREACHABLE="^cannot build on 'ssh" NO_BUILDER='^Failed to find a machine for remote build'
# How many times in all a build is tried whose builders are lost.
readonly BUILDER_ATTEMPTS=3

# cause STATUS LOG FROM: why a build ended so, in one word, by what it said since byte FROM of its log.
cause() {
  local said
  case $1 in
    0) printf 'done'; return ;;
    124 | 137) printf timeout; return ;;
  esac
  said=$(tail -c "+$(($3 + 1))" -- "$2" | tr '\r' '\n' | cut -b 1-1000)
  if grep -q -E "$LOCKED_FILE_MISSING" <<<"$said"; then
    printf locked-file
  elif grep -q -E "$DISK_FULL" <<<"$said"; then
    printf disk
  elif grep -q -E "on 'ssh|$BUILDER_UNREACHABLE" <<<"$said" && {
    grep -q -E "$BUILDER_LOST" <<<"$said" || { grep -q "$BUILDER_UNREACHABLE" <<<"$said" && grep -q "$NO_BUILDER" <<<"$said"; }
  }; then
    printf builder
  else
    printf build
  fi
}

# build WHAT PROBLEM FIX RESULT OUT_LINK INSTALLABLE...: nix_build into LOG, and again where its cause could be taken away; ends
# the script, with PROBLEM and FIX where it is the build itself that failed.
build() {
  local what=$1 problem=$2 fix=$3 result=$4 link=$5 status from cause attempt=1 fetched=false
  shift 5
  while :; do
    status=0
    from=$(stat -c %s -- "$LOG")
    nix_build "$LOG" "$result" "$link" "$@" || status=$?
    [ "$status" -eq 0 ] || [ ! -e "$WORK/stop" ] || fail "${STOPPED[@]}"
    cause=$(cause "$status" "$LOG" "$from")
    case $cause-$fetched-$attempt in
      done-*) return ;;
      locked-file-false-*)
        fetched=true
        say "$what: files that the locks name are neither here nor in a cache: fetching them"
        fetch_locked "$@"
        ;;
      builder-*-"$BUILDER_ATTEMPTS")
        fail BUILDER_LOST "$what: Nix lost its builders $BUILDER_ATTEMPTS times (log: $LOG)" \
          "see that the hosts in builders run and that this host reaches them, then run 'pulumi up' again" "$(why "$LOG" 3)" ;;
      builder-*)
        # Long enough for a restarted service, longer for a restarted host.
        sleep $((5 * attempt * attempt))
        attempt=$((attempt + 1))
        say "$what: a builder was lost: attempt $attempt of $BUILDER_ATTEMPTS"
        ;;
      timeout-*)
        fail LAYER_TIMEOUT "$what did not build within $LIMIT seconds (log: $LOG)" "set COMFYUI_LAYER_TIMEOUT to more seconds, or look for a hanging build in the log" ;;
      disk-*)
        disk_full "$what: the disk was full before the build was done (log: $LOG)" "more than there was" ;;
      *)
        fail LAYER_BUILD_FAILED "$problem (log: $LOG)" "$fix" "$(why "$LOG")" ;;
    esac
  done
}

# read_built RESULT: derivations and outputs of a build, in the order of its installables, into DRVS and OUTS.
read_built() {
  local drv out
  DRVS=() OUTS=()
  while read -r drv out; do DRVS+=("$drv") OUTS+=("$out"); done < <(jq -r '.[] | "\(.drvPath) \(.outputs.out)"' "$1")
}

# fetch_locked INSTALLABLE...: the locked files that these would have to build, and no others.
fetch_locked() {
  local names
  names=$(nix build --dry-run --no-write-lock-file --no-update-lock-file "${NIX_OPTIONS[@]}" "$@" 2>&1 |
    sed -n -E 's|^ *[^ ]*/[0-9a-z]{32}-(.*)\.drv$|\1|p' | jq -cnR '[inputs]')
  jq -c --argjson only "$names" '{protocol, flavor, relock: false, $only}' <<<"$REQUEST" | bash "$HOSTS/prefetch.sh" >>"$LOG"
}
