# Shared by the host scripts: sourced, never run. Messages go to stderr; stdout belongs to the one JSON answer.
# shellcheck shell=bash

# The form of requests and answers; the same number stands in infra/request.ts.
readonly PROTOCOL=3

# The project's folder on this host, these scripts, and where this host keeps logs, locks, work copies, roots and records.
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
HOSTS=$ROOT/infra/hosts
# shellcheck disable=SC2034  # read by the scripts that source this file
STATE=${COMFYUI_STATE:-$ROOT/.local/host}
# shellcheck disable=SC2034
KEYS=${COMFYUI_KEYS:-$ROOT/.local/keys}

# shellcheck source=infra/hosts/messages.sh
. "$HOSTS/messages.sh"

# need TOOL...: every tool that is not on PATH, all at once.
need() {
  local tool missing=()
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
  done
  [ "${#missing[@]}" -eq 0 ] || fail HOST_TOOL_MISSING "this host lacks: ${missing[*]}" \
    "on the machine that runs pulumi 'npm run setup' (or 'bash infra/setup.sh'), then '. .local/env.sh'; a host over SSH is bootstrapped again" "PATH=$PATH" "${missing[*]} on PATH"
}

# What the bootstrap installed beside a distribution's Nix that can use no bucket.
[ ! -x /nix/var/nix/gcroots/comfyui-nix/bin/nix ] || PATH=/nix/var/nix/gcroots/comfyui-nix/bin:$PATH
# Where a fresh shell does not look for it: the daemon's installation.
command -v nix >/dev/null 2>&1 || PATH=$PATH:/nix/var/nix/profiles/default/bin
export NIX_CONFIG="${NIX_CONFIG:-}"$'\n'"extra-experimental-features = nix-command flakes"

# Values of a JSON object by their paths (`.cache.kind`), as the words of a bash array; lists and objects are JSON, what is null is
# not there. Read once: a start of jq takes as long as a small derivation.
# shellcheck disable=SC2016  # jq's variables
readonly BY_PATH='paths as $path | getpath($path) | select(. != null and all($path[]; type == "string"))
  | "[\("." + ($path | join(".")) | @sh)]=\(tostring | @sh)"'
# What the request says.
declare -A ASKED=()

# read_request PATH...: the JSON request on stdin into REQUEST and ASKED, refused when it is of another form or lacks one of these
# values. All of them here, before anything is done: a failure of `asked` within a word or a condition would not end a script.
read_request() {
  local parsed
  parsed=$(jq -r 'if type == "object" then . else error("not an object") end | tojson, ('"$BY_PATH)" 2>/dev/null) || parsed=
  [ -n "$parsed" ] ||
    fail REQUEST_INVALID "the request on standard input is not a JSON object" \
      "run this script through pulumi, or give it a request on standard input"
  REQUEST=${parsed%%$'\n'*}
  eval "ASKED=(${parsed#"$REQUEST"})"
  [ "${ASKED[.protocol]-null}" = "$PROTOCOL" ] || fail REQUEST_INVALID "the request has another form than this script reads" \
    "run 'pulumi up' with the program of this script's revision" "protocol ${ASKED[.protocol]-null}" "protocol $PROTOCOL"
  demand "$@"
}

# demand PATH...: the request has these values.
demand() {
  local path lacking=()
  for path in "$@"; do [ -n "${ASKED[$path]-}" ] || lacking+=("$path"); done
  [ "${#lacking[@]}" -eq 0 ] || fail REQUEST_INVALID "the request lacks ${lacking[*]}" "run 'pulumi up' with the program of this script's revision"
}

# asked PATH: one value of the request, as text; a value that is not there is an error.
asked() {
  [ -n "${ASKED[$1]+there}" ] || fail REQUEST_INVALID "the request lacks $1" "run 'pulumi up' with the program of this script's revision"
  printf '%s\n' "${ASKED[$1]}"
}

# open_work: WORK, a folder of this run alone. Blobs may be larger than the temporary folder.
open_work() {
  mkdir -p "$STATE/work"
  WORK=$(mktemp -d -- "$STATE/work/ops.XXXXXX")
  trap 'rm -rf -- "$WORK"' EXIT
}

# asked_below PATH: what the request has in the object at PATH, a line `member value` each, in no order.
asked_below() {
  local path
  for path in "${!ASKED[@]}"; do
    [[ $path != "$1."* ]] || printf '%s %s\n' "${path#"$1".}" "${ASKED[$path]}"
  done
}

# need_nix: a Nix of 2.18 or newer. What it says of itself, into NIX_VERSION.
need_nix() {
  NIX_VERSION=$(nix --version)
  printf '2.18\n%s\n' "${NIX_VERSION##* }" | sort --version-sort --check=quiet ||
    fail HOST_NIX_OLD "this host's Nix is too old" "on the machine that runs pulumi 'npm run setup', then '. .local/env.sh'; a host over SSH is bootstrapped again" "${NIX_VERSION##* } ($(command -v nix))" "2.18 or newer"
}

# in_url PATH: as a part of a URL, percent-encoded byte by byte (a checkout's folder may have a space in its name).
in_url() {
  local LC_ALL=C at char number url=''
  for ((at = 0; at < ${#1}; at++)); do
    char=${1:at:1}
    case $char in
      [a-zA-Z0-9/._~-]) ;;
      *)
        printf -v number '%d' "'$char"
        printf -v char '%%%02X' "$((number & 255))"
        ;;
    esac
    url+=$char
  done
  printf '%s' "$url"
}
