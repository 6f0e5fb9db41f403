# shellcheck shell=bash
# One commit of a git repository as a folder: the tree whose NAR hash nixpkgs' fetchFromGitHub and fetchgit want.
# Sourced, never run.

# git_quietly ARG...: never a question, neither by git nor by ssh.
git_quietly() {
  GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=/bin/false GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}" LC_ALL=C git "$@" < /dev/null
}

# fetch_commit URL COMMIT REPOSITORY: only this commit; where a server gives no single commits, all of the history. One that
# cannot be reached is not asked twice: that may take minutes.
fetch_commit() {
  local said
  git_quietly init --quiet --bare -- "$3" || return 1
  said=$(git_quietly -C "$3" fetch --quiet --no-tags --depth 1 -- "$1" "$2" 2>&1) && return 0
  printf '%s\n' "$said" >&2
  case $said in *"unable to access"*) return 1 ;; esac
  git_quietly -C "$3" fetch --quiet -- "$1" '+refs/heads/*:refs/heads/*' '+refs/tags/*:refs/tags/*'
}

# tree_of COMMIT REPOSITORY FOLDER yes|no: as an archive, which obeys the repository's export-ignore and export-subst, or as
# a checkout. The machine's settings change nothing. Submodules are empty folders, large files (LFS) pointers.
tree_of() (
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
  if [ "$4" = yes ]; then
    git_quietly -C "$2" archive --format tar "$1" | tar -x -C "$3"
  else
    git_quietly -C "$2" --work-tree "$3" checkout --quiet --force "$1" -- .
  fi
)

# git_tree URL COMMIT FOLDER LOG: false, with git's words in the log, where it cannot be had. What layers/lib/files.nix takes
# from GitHub is GitHub's own archive. The repository stays in FOLDER.git.
git_tree() {
  local url=$1 commit=$2 folder=$3 log=$4 archive=no
  case $url in https://github.com/*) archive=yes ;; esac
  mkdir -p -- "$folder"
  fetch_commit "$url" "$commit" "$folder.git" > "$log" 2>&1 || return 1
  tree_of "$commit" "$folder.git" "$folder" "$archive" >> "$log" 2>&1
}
