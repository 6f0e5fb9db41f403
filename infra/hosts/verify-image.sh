# shellcheck shell=bash
# verify-image.sh: a Docker engine pulls the published image, or runs its smoke tests in the container that was made for them.
# Part of a text for `bash -s` (infra/verify.ts): REQUEST, messages.sh, this file. Request: {step: pull | smoke, docker: null |
# address of the engine, image: by digest; with smoke also container, limitSeconds}. stdout: {"image": …}.
set -euo pipefail

# asked FILTER: one value of the request; nothing where it is null.
asked() {
  # shellcheck disable=SC2153  # the text's first part
  jq -r "$1 // empty" <<<"$REQUEST"
}

# log_end FILE: its last lines, for a message.
log_end() {
  tail -n 12 "$1" | tail -c 1500
}

engine_answers() {
  local address
  command -v docker >/dev/null || fail VERIFY_DOCKER "there is no docker here to try the image with" "install Docker's command on this machine, or name another engine (verify.docker)" "PATH=$PATH"
  address=$(asked .docker)
  if [ -n "$address" ]; then
    unset DOCKER_CONTEXT
    export DOCKER_HOST=$address
  fi
  timeout 60 docker version --format '{{.Server.Version}}' >"$WORK/version" 2>&1 ||
    fail VERIFY_DOCKER "the Docker engine that is to try the image does not answer" \
      "start it (systemctl start docker), let this user in (usermod -aG docker USER), or correct verify.docker" "$(log_end "$WORK/version")" "an engine at ${address:-its usual place}, for $(id -un)"
}

pull() {
  local image=$1
  if docker image inspect "$image" >/dev/null 2>&1; then return 0; fi
  say "verify: pulling $image"
  docker pull --quiet "$image" >"$WORK/pull" 2>&1 || fail VERIFY_PULL "the engine could not pull $image" \
    "see that the engine reaches the registry (plain HTTP only where it lists it as insecure) and that its user is logged in (docker login)" "$(log_end "$WORK/pull")"
}

# stop_container: nothing runs on after this script, however it ends.
stop_container() {
  docker stop --time 0 "$1" >/dev/null 2>&1 || say "verify: container $1 could not be stopped"
}

smoke() {
  local image=$1 container limit status since
  container=$(asked .container)
  limit=$(asked .limitSeconds)
  docker container inspect "$container" >/dev/null 2>&1 || fail VERIFY_GONE "the container that was made for the smoke tests is gone" "make it again: pulumi up --refresh" "no container ${container:0:12}"
  # One that a killed run left running would only be joined.
  stop_container "$container"
  # shellcheck disable=SC2064  # this container
  trap "stop_container '$container'; rm -rf -- '$WORK'" EXIT
  say "verify: running the smoke tests of $image in container ${container:0:12}"
  docker start "$container" >"$WORK/start" 2>&1 || fail VERIFY_START "the engine could not start a container of $image" \
    "see what it says; a GPU wants NVIDIA's driver and its Container Toolkit on the engine's machine" "$(log_end "$WORK/start")"
  since=$(docker container inspect --format '{{.State.StartedAt}}' "$container")
  # `start --attach` would hand a time-out's signal on to the container, whose first process may ignore it.
  status=$(timeout "$limit" docker wait "$container") || status=none
  # Of this run only: a container keeps what it said in those before.
  docker logs --since "$since" "$container" >"$WORK/smoke" 2>&1 || say "verify: the engine keeps no log of container ${container:0:12}"
  case $status in
    0) sed -n 's/^smoke test: /verify: passed: /p' "$WORK/smoke" >&2 ;;
    none) fail VERIFY_TIMEOUT "the smoke tests of $image did not end" "look at the last one named" "$(log_end "$WORK/smoke")" "an end within $limit s" ;;
    *) fail VERIFY_FAILED "the image $image was published, and its smoke tests fail in a container (exit status $status)" \
      "correct the layer whose test is the last one named; all that they said: docker logs ${container:0:12}" "$(log_end "$WORK/smoke")" ;;
  esac
}

main() {
  local image
  image=$(asked .image)
  WORK=$(mktemp -d)
  trap 'rm -rf -- "$WORK"' EXIT
  engine_answers
  case $(asked .step) in
    pull) pull "$image" ;;
    smoke) smoke "$image" ;;
    *) fail REQUEST_INVALID "the request asks for no step that this script has" "run 'pulumi up' with the program of this script's revision" "$(asked .step)" "pull or smoke" ;;
  esac
  jq -cn --arg image "$image" '{image: $image}'
}

main </dev/null
