# The Pulumi CLI, its language host for Node.js, and the provider plugin of the stack's commands: Pulumi's own; where these two cannot
# be had, what stands in for them (infra/pulumi). Sourced by ../setup.sh.
# shellcheck shell=bash

pulumi_min=3.259.0    # the oldest that is taken from PATH, and was tried
command_version=1.2.1 # package.json pins the same
plugin_dir=$local_dir/pulumi/plugins/resource-command-v$command_version
official=pulumi-$pulumi_version
built=pulumi-$pulumi_version-built
command_kept=resource-command-$command_version
download_site=https://get.pulumi.com/releases/sdk
stand_in_mark="# stand-in of comfyui-image"
pulumi_tried=()
site_answers=unknown
engine_way=found # or download, or build

# pulumi_fits FILE: new enough, with its language host beside it, where the engine looks for it (plugins on PATH are ignored).
pulumi_fits() {
  local version
  version=$("$1" version 2>/dev/null) || return 1
  at_least "$version" "$pulumi_min" && [ -x "$(dirname -- "$(readlink -f -- "$1")")/pulumi-language-nodejs" ]
}

system_pulumi_fits() {
  local file
  file=$(system_tool pulumi) && pulumi_fits "$file"
}

# is_stand_in FILE: a script of ours, in the place of a program of Pulumi's.
is_stand_in() { [ "$(head -c 200 -- "$1" 2>/dev/null | LC_ALL=C sed -n '2{p;q}')" = "$stand_in_mark" ]; }

command_is_official() { [ -x "$plugin_dir/pulumi-resource-command" ] && ! is_stand_in "$plugin_dir/pulumi-resource-command"; }

has_downloader() { has_tool curl || has_tool wget; }

# The release's checksums, asked for once: decides for the CLI and the plugin whether anything is downloaded. A site that is out of
# reach costs seconds.
site_reached() {
  local sums=$local_dir/pulumi-checksums.txt url=$download_site/pulumi-$pulumi_version-checksums.txt
  if [ "$site_answers" = unknown ]; then
    site_answers=no
    if has_tool curl; then
      curl -fsSL --connect-timeout 5 --max-time 15 -o "$sums" "$url" && site_answers=yes
    else
      wget -nv --tries=1 --dns-timeout=5 --connect-timeout=5 --read-timeout=10 -O "$sums" "$url" && site_answers=yes
    fi 2>"$local_dir/download.log"
  fi
  [ "$site_answers" = yes ]
}

# Sets engine_way, as far as it shows beforehand.
choose_engine_way() {
  engine_way=found
  if system_pulumi_fits || [ -d "$tools/$official" ]; then return 0; fi
  if has_downloader && site_reached; then
    engine_way=download
  elif [ ! -d "$tools/$built" ] && ! engine_here; then
    engine_way=build
  fi
}

# Whether there may be something to ask the download site for.
all_official() { { system_pulumi_fits || [ -d "$tools/$official" ]; } && command_is_official; }

# fetch URL FILE: goes on with what is there; a connection that breaks or stalls is made again.
fetch() {
  local attempt
  for attempt in 1 2 3 4; do
    if has_tool curl; then
      curl -fsSL --connect-timeout 20 --speed-limit 1000 --speed-time 30 -C - -o "$2" "$1" && return 0
    else
      wget -nv --tries=1 --timeout=30 -c -O "$2" "$1" && return 0
    fi
    sleep "$attempt"
  done
  return 1
}

archive_fetched() { printf '%s MB' $(($(stat -c %s "$archive_file" 2>/dev/null || echo 0) / 1000000)); }

# download_pulumi FOLDER: the official release, if it is what its checksums say.
download_pulumi() {
  local arch name sum archive_file log=$local_dir/download.log
  case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) return 1 ;; esac
  name=pulumi-v$pulumi_version-linux-$arch.tar.gz
  archive_file=$tools/.$name
  slow "downloading $download_site/$name" "$log" archive_fetched fetch "$download_site/$name" "$archive_file" || return 1
  sum=$(awk -v name="$name" '$2 == name { print $1 }' "$local_dir/pulumi-checksums.txt")
  if [ "$(sha256sum <"$archive_file")" != "$sum  -" ]; then
    printf '%s\n' "$name has other bytes than its checksum says" >"$log"
    rm -f -- "$archive_file" # the next set-up begins anew
    return 1
  fi
  tar -C "$1" --strip-components=1 -xzf "$archive_file" 2>"$log" && rm -f -- "$archive_file"
}

# Each way in turn; says into $pulumi_tried why one was not taken.
find_pulumi() {
  local file
  host=official
  if system_pulumi_fits; then
    unlink_own pulumi
    rm -rf -- "$local_dir/pulumi-cli"
    pulumi_from=$(system_tool pulumi) pulumi_state=found
    return 0
  fi
  if file=$(system_tool pulumi); then
    pulumi_tried+=("PATH: $file is older than $pulumi_min or has no Node.js language host beside it")
  else
    pulumi_tried+=("PATH: no pulumi")
  fi
  if [ -d "$tools/$official" ] || site_reached; then
    if keep "$official" download_pulumi; then
      rm -rf -- "$local_dir/pulumi-cli"
      link "$tools/$official/pulumi"
      pulumi_from="download" pulumi_state=$keep_state
      return 0
    fi
  fi
  pulumi_tried+=("download: $pulumi_version from $download_site: $(last_said "$local_dir/download.log" 1)")
  host="stand-in (infra/pulumi)"
  if ! keep "$built" build_engine; then
    pulumi_tried+=("Go modules: ${engine_why:-another set-up that was building it failed}")
    return 1
  fi
  pulumi_from="built from its Go modules" pulumi_state=$keep_state
  take_built
}

# The built engine into this checkout, with the language host beside it: where it lies says whose language host it starts.
take_built() {
  if ! [ "$local_dir/pulumi-cli/pulumi" -ef "$tools/$built/pulumi" ] && ! cmp -s "$local_dir/pulumi-cli/pulumi" "$tools/$built/pulumi"; then
    place "$tools/$built" "$local_dir/pulumi-cli" || return 1
  fi
  stand_in "$local_dir/pulumi-cli/pulumi-language-nodejs" ../.. language-host
  link "$local_dir/pulumi-cli/pulumi"
}

# stand_in FILE UP PART: a program that runs infra/pulumi/PART; UP leads from its folder to the checkout, wherever that is moved to.
stand_in() {
  write_file "$1" 755 <<EOF
#!/bin/sh
$stand_in_mark
root=\${0%/*}/$2
node=\$root/.local/bin/node
[ -x "\$node" ] || node=node
exec "\$node" "\$root/infra/pulumi/$3/main.ts" "\$@"
EOF
}

# Where Go is all that lacks, that is a matter of this; where pip brings nothing else either, one problem says so for all, and where
# there is no pip, that is one already.
no_engine() {
  if ! has_pip && [ "${#wheels_failed[@]} ${#problems[@]}" != "0 0" ]; then return 0; fi
  case "${#wheels_failed[@]} ${wheels_failed[*]}" in
    '1 go '*) wheels_failed=() ;;
    *' go '*) return 0 ;;
  esac
  problem SETUP_NO_ENGINE "no Pulumi engine can be had here" \
    "install Pulumi (https://www.pulumi.com/docs/iac/download-install/) and run set-up again; without it the image can still be built: . .local/env.sh && nix run path:./layers#build-incremental" \
    "$(printf '%s; ' "${pulumi_tried[@]::2}")${pulumi_tried[2]:-}" "pulumi $pulumi_min or newer from one of these"
}

setup_pulumi() {
  local version
  have_pulumi=no
  if ! find_pulumi; then
    row pulumi - - "missing (>= $pulumi_min)"
    no_engine
    return 0
  fi
  have_pulumi=yes
  version=$(PATH=$local_dir/bin:$PATH pulumi version)
  row pulumi "${version#v}" "$pulumi_from" "$pulumi_state"
  row "language host" - "$host" "$pulumi_state"
}

# install_command FOLDER: by Pulumi, which knows where its plugins are; in a home of its own.
install_command() {
  local home=$1/home log=$local_dir/plugin.log
  slow "fetching Pulumi's plugin command $command_version" "$log" elapsed \
    env PATH="$local_dir/bin:$PATH" PULUMI_HOME="$home" \
    timeout 300 pulumi plugin install resource command "$command_version" --non-interactive --color never || return 1
  mv -- "$home/plugins/resource-command-v$command_version"/* "$1/" && rm -rf -- "$home"
}

setup_plugin() {
  local state=found
  [ "$have_pulumi" = yes ] || return 0
  if command_is_official; then
    row "plugin command" "$command_version" official found
    return 0
  fi
  if { [ -d "$tools/$command_kept" ] || { has_downloader && site_reached; }; } && keep "$command_kept" install_command; then
    place "$tools/$command_kept" "$plugin_dir"
    row "plugin command" "$command_version" official installed
    return 0
  fi
  is_stand_in "$plugin_dir/pulumi-resource-command" || state=installed
  rm -rf -- "$plugin_dir.partial" "$plugin_dir.lock"
  mkdir -p -- "$plugin_dir"
  stand_in "$plugin_dir/pulumi-resource-command" ../../../.. command
  row "plugin command" "$command_version" "stand-in (infra/pulumi)" "$state"
}

stand_ins_used() { is_stand_in "$local_dir/pulumi-cli/pulumi-language-nodejs" || is_stand_in "$plugin_dir/pulumi-resource-command"; }
