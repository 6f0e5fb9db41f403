# nixpkgs' trivial builders, as far as the layers use them: bash and the usual tools, no phases.
{ system, programs, libraries }:
let
  inherit (programs) bash;
  path = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
  defaultTools = with programs; [ bash coreutils diffutils findutils gnugrep gnused gnutar gzip xz ];

  runCommand = name: env: buildCommand: derivation (builtins.removeAttrs env [ "nativeBuildInputs" "meta" ] // {
    inherit system name;
    builder = "${bash}/bin/bash";
    args = [ "-euo" "pipefail" "-c" ''
      export PATH=${path ((env.nativeBuildInputs or [ ]) ++ defaultTools)} LC_ALL=C TZ=UTC HOME=/homeless-shelter
      umask 022
      if [ -n "''${NIX_ATTRS_SH_FILE:-}" ]; then
        source "$NIX_ATTRS_SH_FILE"
        for output in "''${!outputs[@]}"; do export "$output=''${outputs[$output]}"; done
      fi
      ${buildCommand}
      # The shell has to end last. It would otherwise become its last command; coreutils' programs close their output before
      # they end, and Nix kills a builder that has closed its output.
      exit 0
    '' ];
  });
  writeExecutable = name: destination: text: runCommand name { inherit text; passAsFile = [ "text" ]; } ''
    target=$out${destination}
    mkdir -p "$(dirname "$target")"
    { echo '#!${bash}/bin/bash'; cat "$textPath"; } > "$target"
    chmod 755 "$target"
  '';
in
{
  inherit runCommand;
  writeText = name: text: runCommand name { inherit text; passAsFile = [ "text" ]; } ''cp "$textPath" "$out"'';
  writeShellScript = name: writeExecutable name "";
  writeShellScriptBin = name: writeExecutable name "/bin/${name}";
  # The closure of some paths, as a builder sees it.
  closureInfo = { rootPaths }: runCommand "closure-info"
    {
      __structuredAttrs = true;
      exportReferencesGraph.closure = rootPaths;
      nativeBuildInputs = [ programs.jq ];
    } ''
    mkdir "$out"
    jq -r '[.closure[].path] | sort[]' "$NIX_ATTRS_JSON_FILE" > "$out/store-paths"
  '';
  stdenv = {
    hostPlatform = { inherit system; };
    shell = "${bash}/bin/bash";
    cc.cc.lib = libraries.libgcc;
  };
}
