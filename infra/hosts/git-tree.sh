# shellcheck shell=bash
# One commit of a git repository as a folder without .git: what nixpkgs' fetchgit makes of it, so that both have one NAR hash.
# Sourced, never run.

# git_quietly ARG...: never a question, neither by git nor by ssh.
git_quietly() {
  GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=/bin/false GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -o BatchMode=yes}" LC_ALL=C git "$@" < /dev/null
}

# git_tree URL COMMIT FOLDER LOG: false, with git's words in the log, where it cannot be had. Submodules stay empty folders,
# large files (LFS) pointers, and the machine's settings change nothing: the tree is the commit's, whoever checks it out.
git_tree() {
  local url=$1 commit=$2 folder=$3 log=$4
  git_quietly init --quiet -- "$folder" > "$log" 2>&1 || return 1
  # Only this commit; where a server gives no single commits, all of the history.
  git_quietly -C "$folder" fetch --quiet --no-tags --depth 1 -- "$url" "$commit" >> "$log" 2>&1 ||
    git_quietly -C "$folder" fetch --quiet -- "$url" '+refs/heads/*:refs/remotes/all/*' '+refs/tags/*:refs/tags/*' >> "$log" 2>&1 ||
    return 1
  GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git_quietly -C "$folder" checkout --quiet --detach "$commit" >> "$log" 2>&1 || return 1
  rm -rf -- "$folder/.git"
}
