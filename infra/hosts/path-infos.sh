# shellcheck shell=bash
# What Nix says of paths, in one form whatever its version. Sourced, and part of the text for a cache host.

# as_path_infos: of `nix path-info --json` on stdin, whatever its form, the texts of .narinfo files.
as_path_infos() {
  jq -r '
    (if type == "array" then map({key: .path, value: .}) else to_entries end)[] | select(.value != null and (.value | .valid == null or .valid))
    | .key as $path | .value | ["StorePath: \($path)", "URL: \(.url // "")", "FileSize: \(.downloadSize // .narSize)", "NarHash: \(.narHash)", "NarSize: \(.narSize)",
       "References: \([.references[] | ltrimstr("/nix/store/")] | join(" "))", (.signatures // [] | .[] | "Sig: \(.)"), (.ca | select(. != null and . != "") | "CA: \(.)")][]'
}
