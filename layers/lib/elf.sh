# shellcheck shell=sh
# Functions for ELF files, for busybox's sh and for bash. Sourced by builders.

is_elf() {
  [ "$(head -c 4 "$1" | od -An -tx1 | tr -d ' \n')" = 7f454c46 ]
}

# elf_files FOLDER: programs and shared libraries, one path a line.
elf_files() {
  find "$1" -type f \( -name '*.so' -o -name '*.so.*' -o -perm -0100 \) ! -name '*.py' ! -name '*.sh' | sort |
    while read -r elf_file; do
      ! is_elf "$elf_file" || printf '%s\n' "$elf_file"
    done
}

# library_folders add|set FILE FOLDER...: those folders, joined by colons, in which FILE's direct dependencies lie. Only these
# go into an RPATH: each folder named there is one more store path in the image. With `set`, a dependency in none is an error.
library_folders() {
  library_found="" library_how=$1 library_file=$2
  shift 2
  for library_name in $(patchelf --print-needed "$library_file"); do
    library_missing=$library_name
    for library_folder in "$@"; do
      [ -e "$library_folder/$library_name" ] || continue
      library_missing=
      case ":$library_found:" in
        *":$library_folder:"*) ;;
        *) library_found=$library_found${library_found:+:}$library_folder ;;
      esac
      break
    done
    if [ "$library_how" = set ] && [ -n "$library_missing" ]; then
      echo "$library_file needs $library_missing, which none of its dependencies has: $*" >&2
      return 1
    fi
  done
  printf '%s\n' "$library_found"
}

# patch_elf add|set FILE LOADER FOLDER...: RPATH and program interpreter of one file. Static programs stay as they are.
# With `add` it is a DT_RPATH, which (unlike a DT_RUNPATH, patchelf's default) also holds for what the file opens by name at
# run time: cuDNN loads its parts that way, and they lie in a folder that only torch's own libraries name.
patch_elf() {
  patch_how=$1 patch_file=$2 patch_loader=$3
  shift 3
  patchelf --print-needed "$patch_file" >/dev/null 2>&1 || return 0
  patch_rpath=$(library_folders "$patch_how" "$patch_file" "$@")
  case $patch_how:$patch_rpath in
    set:*) patchelf --set-rpath "$patch_rpath" "$patch_file" ;;
    add:?*) patchelf --force-rpath --add-rpath "$patch_rpath" "$patch_file" ;;
  esac
  if patchelf --print-interpreter "$patch_file" >/dev/null 2>&1; then
    patchelf --set-interpreter "$patch_loader" "$patch_file"
  fi
}

# add_rpaths FOLDER LOADER LIBRARY_FOLDER...: keeps what a file's RPATH has ($ORIGIN/...) and adds what it lacks.
add_rpaths() {
  rpaths_top=$1
  shift
  elf_files "$rpaths_top" | while read -r rpaths_file; do patch_elf add "$rpaths_file" "$@"; done
}

# set_rpaths FOLDER LOADER LIBRARY_FOLDER...: nothing but these folders.
set_rpaths() {
  rpaths_top=$1
  shift
  elf_files "$rpaths_top" | while read -r rpaths_file; do patch_elf set "$rpaths_file" "$@"; done
}
