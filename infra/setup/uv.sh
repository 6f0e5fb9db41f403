# uv, which resolves Python requirements for the lock tool. Sourced by ../setup.sh.
# shellcheck shell=bash

# Always this checkout's own: the same question has the same answer on every machine.
install_uv() {
  local log=$local_dir/uv.log pip=(pip3)
  if PATH=$system_path python3 -m pip --version >/dev/null 2>&1; then pip=(python3 -m pip); fi
  progress "installing uv for this checkout"
  rm -rf -- "$local_dir/uv"
  if PATH=$system_path "${pip[@]}" install --quiet --target "$local_dir/uv" --no-deps --only-binary :all: --require-hashes \
    --disable-pip-version-check -r "$root/infra/setup/uv/requirements.txt" >"$log" 2>&1; then
    cp "$root/infra/setup/uv/requirements.txt" "$local_dir/uv/requirements.txt"
    return 0
  fi
  rm -rf -- "$local_dir/uv"
  problem SETUP_UV_FAILED "uv could not be installed: $(tail -n 2 "$log" | tr '\n' ' ')" \
    "check pip's index setting and the network (pip3 config list), then run set-up again" "$log"
  return 1
}

setup_uv() {
  local version state=found
  version=$(sed -n 's/^uv==\([^ ]*\).*/\1/p' "$root/infra/setup/uv/requirements.txt")
  if ! cmp -s "$root/infra/setup/uv/requirements.txt" "$local_dir/uv/requirements.txt"; then
    install_uv || { row uv "$version" - missing; return 0; }
    state=installed
  fi
  link "$local_dir/uv/bin/uv"
  row uv "$version" "pip, into .local/uv" "$state"
}
