# Node.js and the npm packages. Sourced by ../setup.sh.
# shellcheck shell=bash

node_min=22.18 # the first that runs TypeScript without a flag

# npm_ci FOLDER ARG...: with the system's npm under the system's Node. No install scripts: @pulumi/command's would
# download a plugin into the user's own Pulumi home.
npm_ci() {
  local folder=$1 log=$local_dir/npm.log
  shift
  if (cd "$folder" && PATH=$system_path npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@") >"$log" 2>&1; then
    return 0
  fi
  problem SETUP_NPM_FAILED "npm ci failed in $folder: $(head -n 3 "$log" | tr '\n' ' ')" \
    "check npm's registry setting and the network, then run set-up again" "$log"
  return 1
}

need_npm() {
  if system_tool npm >/dev/null && system_tool node >/dev/null; then return 0; fi
  problem SETUP_NPM_MISSING "$1 needs npm, and there is none" \
    "install Node.js $node_min or newer with npm (https://nodejs.org/en/download), then run set-up again" \
    "node: $(system_tool node || echo none), npm: $(system_tool npm || echo none)" "both on PATH"
  return 1
}

own_node() { printf '%s\n' "$local_dir"/node/node_modules/node-linux-*/bin/node; }

# The npm package `node` is a script that fetches one of these packages. They are taken directly: a lock file with
# their hashes (setup/node/), and no script to run.
install_own_node() {
  need_npm "the npm package of Node.js" || return 1
  progress "installing Node.js for this checkout"
  rm -rf -- "$local_dir/node"
  mkdir -p "$local_dir/node"
  cp "$root"/infra/setup/node/package.json "$root"/infra/setup/node/package-lock.json "$local_dir/node/"
  npm_ci "$local_dir/node" || return 1
  if [ -x "$(own_node)" ]; then return 0; fi
  # npm says nothing about an optional package that it could not fetch.
  rm -rf -- "$local_dir/node"
  problem SETUP_NPM_FAILED "npm brought no Node.js for this machine" "check npm's registry setting and the network (npm ping), then run set-up again" \
    "$(uname -sm)" "one of the packages of infra/setup/node/package.json"
  return 1
}

setup_node() {
  local file version='' state=found
  if file=$(system_tool node) && version=$("$file" --version) && at_least "$version" "$node_min"; then
    unlink_own node
    row node "${version#v}" "$file" found
    return 0
  fi
  if ! cmp -s "$root/infra/setup/node/package-lock.json" "$local_dir/node/package-lock.json" || ! [ -x "$(own_node)" ]; then
    install_own_node || { row node "${version#v}" - "missing (>= $node_min)"; return 0; }
    state=installed
  fi
  file=$(own_node)
  link "$file"
  version=$("$file" --version)
  row node "${version#v}" "npm, into .local/node" "$state"
}

setup_npm_packages() {
  local stamp=$root/node_modules/.set-up sum state=found
  sum=$(sha256sum <"$root/package-lock.json")
  if [ "$(cat "$stamp" 2>/dev/null || echo none)" != "$sum" ]; then
    need_npm "installing this project's packages" || { row "npm packages" - - missing; return 0; }
    progress "installing the npm packages"
    npm_ci "$root" --include=dev || { row "npm packages" - - missing; return 0; }
    printf '%s\n' "$sum" >"$stamp"
    state=installed
  fi
  row "npm packages" - package-lock.json "$state"
}
