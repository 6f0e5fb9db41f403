# shellcheck shell=bash
# What every shell script here says to a person, and how: on stderr. Sourced, and part of a bootstrap's text.

# say MESSAGE: one progress line. Cut, because the command provider hangs for ever on a line of 64 KiB or more.
say() {
  printf '%s\n' "${1:0:2000}" >&2
}

# fail CODE PROBLEM FIX [FOUND] [EXPECTED]: a stable code, what is wrong, and what to do about it; ends the script.
fail() {
  {
    printf 'error[%s]: %s\n' "$1" "${2:0:2000}"
    [ -z "${4:-}" ] || printf '  found:    %s\n' "${4:0:2000}"
    [ -z "${5:-}" ] || printf '  expected: %s\n' "${5:0:2000}"
    printf '  fix:      %s\n' "${3:0:2000}"
  } >&2
  exit 1
}
