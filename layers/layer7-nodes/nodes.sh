# shellcheck shell=bash
# Builder: sources -> $out/FOLDER, with byte code beside each file, since nobody can write it there later.
set -euo pipefail
# shellcheck disable=SC2154  # set by the derivation
: "$out" "$folders" "$sources" "$python" "$compile"
read -ra names <<< "$folders"
read -ra trees <<< "$sources"

mkdir "$out"
for at in "${!names[@]}"; do
  folder=$out/${names[$at]}
  if [ -e "$folder" ]; then
    echo "two custom nodes have the folder ${names[$at]}" >&2
    exit 1
  fi
  cp -r "${trees[$at]}" "$folder"
  chmod -R u+w "$folder"
  # What the program imports has to compile. Elsewhere (examples, templates) a file may not: it is no module then.
  "$python" -B -I -S -c 'import sys; compile(open(sys.argv[1], "rb").read(), sys.argv[1], "exec")' "$folder/__init__.py"
  "$python" -B -I -S "$compile" "$out" "$folder" || [ $? -eq 1 ]
done
