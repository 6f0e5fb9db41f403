# The Pulumi CLI with its language host, and the provider plugin that the stack uses. Sourced by ../setup.sh.
# shellcheck shell=bash

pulumi_version=3.259.0 # what is downloaded, and the oldest that is taken from PATH
command_version=1.2.1  # package.json pins the same
plugin_dir=$local_dir/pulumi/plugins/resource-command-v$command_version
pulumi_tried=()

# pulumi_fits FILE: new enough, with the Node.js language host beside it or on PATH.
pulumi_fits() {
  local version
  version=$("$1" version 2>/dev/null) || return 1
  at_least "$version" "$pulumi_version" || return 1
  [ -x "$(dirname -- "$(readlink -f -- "$1")")/pulumi-language-nodejs" ] || system_tool pulumi-language-nodejs >/dev/null
}

bundle_fits() { [ "$bundle_state" != failed ] && [ -x "$toolchain/install.sh" ] && [ "$(uname -s)/$(uname -m)" = Linux/x86_64 ]; }

# bundle_unpacked always|never: by an earlier run that may have had another COMFYUI_TOOLCHAIN, into this very folder.
bundle_unpacked() {
  case "$(cat "$local_dir/toolchain/.set-up" 2>/dev/null || echo none)" in
    "$1 $local_dir "*) [ -x "$local_dir/toolchain/bin/pulumi" ] && [ -x "$plugin_dir/pulumi-resource-command" ] ;;
    *) return 1 ;;
  esac
}

pulumi_without_download() {
  bundle_fits || bundle_unpacked "$bundle_nix" || [ -x "$local_dir/pulumi-cli/pulumi" ] || { system_tool pulumi >/dev/null && pulumi_fits "$(system_tool pulumi)"; }
}

# unpack_bundle always|never: with its Nix or without; skipped where the same bundle is in place.
unpack_bundle() {
  local stamp log=$local_dir/toolchain.log
  if ! bundle_fits; then
    bundle_unpacked "$1"
    return
  fi
  stamp="$1 $local_dir $(sha256sum <"$toolchain/SHA256SUMS")"
  if bundle_unpacked "$1" && [ "$(cat "$local_dir/toolchain/.set-up")" = "$stamp" ]; then return 0; fi
  progress "unpacking the tools of $toolchain"
  if ! TOOLCHAIN_NIX=$1 "$toolchain/install.sh" "$local_dir/toolchain" >"$log" 2>&1; then
    # Not an error yet: there are other ways.
    bundle_state=failed bundle_note="install.sh failed in $toolchain: $(tail -n 1 "$log")"
    return 1
  fi
  printf '%s\n' "$stamp" >"$local_dir/toolchain/.set-up"
  bundle_state=installed
}

# download URL FILE: what goes wrong is in .local/download.log.
download() {
  if has_tool curl; then
    curl -fsSL --retry 3 --connect-timeout 20 -o "$2" "$1"
  else
    wget -nv --tries=3 --timeout=20 -O "$2" "$1"
  fi 2>"$local_dir/download.log"
}

# The official release, checked against its published checksums. Tests stand in for the server: this is the one way
# here that has not been taken for real.
download_pulumi() {
  local base=https://get.pulumi.com/releases/sdk arch work archive
  case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) return 1 ;; esac
  archive=pulumi-v$pulumi_version-linux-$arch.tar.gz
  work=$(mktemp -d "$local_dir/pulumi-cli.XXXXXX")
  progress "downloading $base/$archive"
  if download "$base/$archive" "$work/$archive" && download "$base/pulumi-$pulumi_version-checksums.txt" "$work/sums" &&
    (cd "$work" && grep -F " $archive" sums | sha256sum --check --quiet --strict -) >"$local_dir/download.log" 2>&1 && tar -C "$work" -xzf "$work/$archive"; then
    rm -rf -- "$local_dir/pulumi-cli"
    mv -- "$work/pulumi" "$local_dir/pulumi-cli"
    rm -rf -- "$work"
    return 0
  fi
  rm -rf -- "$work"
  return 1
}

# Each way in turn; says into $pulumi_tried why one was not taken.
find_pulumi() {
  local file
  if file=$(system_tool pulumi); then
    if pulumi_fits "$file"; then
      unlink_own pulumi pulumi-language-nodejs pulumi-resource-pulumi-nodejs
      pulumi_from=$file
      return 0
    fi
    pulumi_tried+=("PATH: $file is older than $pulumi_version or has no Node.js language host")
  else
    pulumi_tried+=("PATH: no pulumi")
  fi
  if unpack_bundle "$bundle_nix"; then
    link "$local_dir"/toolchain/bin/pulumi*
    pulumi_from="bundle, into .local/toolchain" pulumi_state=$bundle_state
    return 0
  fi
  pulumi_tried+=("bundle: $bundle_note")
  if [ ! -x "$local_dir/pulumi-cli/pulumi" ]; then
    if ! download_pulumi; then
      pulumi_tried+=("download: $pulumi_version from https://get.pulumi.com/releases/sdk: $(tail -n 1 "$local_dir/download.log")")
      return 1
    fi
    pulumi_state=installed
  fi
  link "$local_dir"/pulumi-cli/pulumi "$local_dir"/pulumi-cli/pulumi-language-nodejs "$local_dir"/pulumi-cli/pulumi-resource-pulumi-nodejs
  pulumi_from="download, into .local/pulumi-cli"
}

install_command_plugin() {
  local archive=$toolchain/linux-amd64/pulumi-resource-command-v$command_version-linux-amd64.tar.gz from=() log=$local_dir/plugin.log
  if bundle_fits && [ -f "$archive" ]; then from=(--file "$archive"); fi
  if pulumi plugin install resource command "$command_version" "${from[@]}" --non-interactive --color never >"$log" 2>&1; then
    return 0
  fi
  problem SETUP_PLUGIN_MISSING "the Pulumi plugin command $command_version could not be installed: $(tail -n 2 "$log" | tr '\n' ' ')" \
    "check the network, then run set-up again" "$log"
  return 1
}

# Runs after env.sh has been read, so that the plugin goes where the program looks.
setup_plugin() {
  local state=found
  [ "$have_pulumi" = yes ] || return 0
  if [ ! -x "$plugin_dir/pulumi-resource-command" ]; then
    install_command_plugin || return 0
    state=installed
  fi
  row "plugin command" "$command_version" .local/pulumi "${bundle_state/found/$state}"
}

setup_pulumi() {
  local version
  pulumi_from='' pulumi_state=found have_pulumi=no
  if find_pulumi; then
    have_pulumi=yes
    version=$(PATH=$local_dir/bin:$PATH pulumi version)
    row pulumi "${version#v}" "$pulumi_from" "$pulumi_state"
    return 0
  fi
  row pulumi - - "missing (>= $pulumi_version)"
  problem SETUP_NO_ENGINE "no Pulumi engine can be had here" \
    "install Pulumi (https://www.pulumi.com/docs/iac/download-install/) and run set-up again; without it the image can still be built: . .local/env.sh && nix run path:./layers#build-incremental" \
    "$(printf '%s; ' "${pulumi_tried[@]::2}")${pulumi_tried[2]:-}" "pulumi $pulumi_version or newer from one of these"
}
