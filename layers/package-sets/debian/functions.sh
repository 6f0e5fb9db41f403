# shellcheck shell=sh
# Functions of the Debian builders, for busybox's sh. Sourced by stage0.sh.

# unpack_debs FOLDER DEB...
unpack_debs() {
  unpack_to=$1
  shift
  mkdir -p "$unpack_to"
  for unpack_deb in "$@"; do
    unpack_member=$(ar t "$unpack_deb" | grep '^data\.tar')
    case $unpack_member in
      *.xz) set -- xz ;;
      *.gz) set -- gzip ;;
      *) echo "$unpack_deb: $unpack_member: no program here reads this compression" >&2; return 1 ;;
    esac
    ar p "$unpack_deb" "$unpack_member" > "$unpack_to.data"
    "$1" -dc < "$unpack_to.data" > "$unpack_to.tar"
    tar -x --no-same-owner -f "$unpack_to.tar" -C "$unpack_to"
    rm "$unpack_to.data" "$unpack_to.tar"
  done
  chmod -R u+w "$unpack_to"
}

# copy_if_there SOURCE_FOLDER TARGET_FOLDER
copy_if_there() {
  [ -d "$1" ] || return 0
  mkdir -p "$2"
  cp -a "$1/." "$2/"
}

# drop_unusable_programs FOLDER LIBRARY_FOLDER...: programs that need a library which is in none of these. Debian's packages
# bring a few that talk to services of a whole system (`who` and systemd), and a later version may bring more.
drop_unusable_programs() {
  unusable_in=$1
  shift
  [ -d "$unusable_in" ] || return 0
  for unusable_program in "$unusable_in"/*; do
    is_elf "$unusable_program" || continue
    if ! unusable_why=$(library_folders set "$unusable_program" "$@" 2>&1); then
      echo "left out ${unusable_program##*/}: $unusable_why"
      rm "$unusable_program"
    fi
  done
}

# isolate_loader LD_SO TRIPLET: the places of the running machine that the loader knows (its library folders, its cache, its
# preload list) are renamed, at equal length, to a root folder that no machine has. A library that no RPATH names is then
# missing everywhere alike, and not only in the image.
isolate_loader() {
  strings -a -n 5 -t d "$1" | while read -r isolate_offset isolate_text; do
    case $isolate_text in
      /etc/ld.so.cache | /etc/ld.so.preload) isolate_new=/x-x/${isolate_text#/etc/} ;;
      /lib/ | "/lib/$2/") isolate_new=/x-x/${isolate_text#/lib/} ;;
      /usr/lib/ | "/usr/lib/$2/") isolate_new=/x-x/${isolate_text#/usr/} ;;
      *) continue ;;
    esac
    printf %s "$isolate_new" | dd of="$1" bs=1 seek="$isolate_offset" conv=notrunc 2>/dev/null
    echo "$1: $isolate_text -> $isolate_new"
  done
  if strings -a -n 5 "$1" | grep -E '^/(usr/)?lib(/|$)|^/etc/ld'; then
    echo "$1 still knows folders of the running machine" >&2
    return 1
  fi
}

# drop_dead_links FOLDER: links to nowhere, and links to a path of the running machine whether that is there or not.
drop_dead_links() {
  find "$1" -type l | while read -r dead_link; do
    dead_target=$(readlink "$dead_link")
    case $dead_target in
      /nix/store/*) continue ;;
      /*) ;;
      *) [ ! -e "$dead_link" ] || continue ;;
    esac
    echo "dropped link ${dead_link#"$1"/} -> $dead_target"
    rm "$dead_link"
  done
}
