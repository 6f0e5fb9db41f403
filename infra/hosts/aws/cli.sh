# The AWS CLI as scripts use it, on pulumi's machine and on a host that opens its cache: sourced, never run.
# shellcheck shell=bash

# need_aws REGION: the CLI, for this region.
need_aws() {
  command -v aws >/dev/null || fail AWS_CLI_MISSING "this machine has no AWS CLI" "install it (https://aws.amazon.com/cli/)" "PATH=$PATH" "aws on PATH"
  AWS_DEFAULT_REGION=$1
  export AWS_DEFAULT_REGION AWS_PAGER='' AWS_MAX_ATTEMPTS=3
  PROBLEM=$(mktemp)
  trap 'rm -f -- "$PROBLEM"' EXIT
}

# call ARGUMENT...: one request; JSON on stdout. False where AWS says no: its words are then in the file PROBLEM.
call() {
  aws "$@" --output json 2>"$PROBLEM"
}

# refused CODE...: whether AWS's last answer was one of these errors. The CLI's exit status does not tell.
refused() {
  local IFS='|'
  grep -q -E "\(($*)\)" "$PROBLEM"
}

# problem_text: AWS's last answer, in one line.
problem_text() {
  grep -v '^$' "$PROBLEM" | tail -n 1 | cut -c 1-500
}

# give_up WHAT: for an answer that no code of ours stands for.
give_up() {
  if refused AuthFailure UnauthorizedOperation ExpiredToken RequestExpired InvalidClientTokenId UnrecognizedClientException AccessDenied AccessDeniedException || grep -q -i 'credentials' "$PROBLEM"; then
    fail AWS_CREDENTIALS "AWS does not let this machine's credentials $1" "log in ('aws sso login', or AWS_PROFILE), or give them the permission named" "$(problem_text)"
  fi
  fail AWS_REQUEST "AWS did not $1" "look at the answer; run 'pulumi up' again where it says that it is for a time" "$(problem_text)"
}
