/** Completion of the operators' commands, as a script for bash or zsh: made of the commands themselves, all words in it. */
import type { Command } from "commander";

/** What may follow some words: commands or options, each with what it is for. */
interface Step {
  /** The words so far, such as `cache gc`; empty at the start. */
  readonly path: string;
  readonly words: readonly string[];
}

/** Every place of the command line, the top first. */
export function steps(command: Command, path: readonly string[] = []): Step[] {
  const below = command.commands.flatMap((each) => steps(each, [...path, each.name()]));
  // A group may be a command by itself, too; then it has options of its own.
  const runs = command.commands.length === 0 || command.options.length > 0;
  const options = runs ? [...command.options.map(({ long, short }) => long ?? short ?? ""), "--help"] : [];
  const words = [...command.commands.map((each) => each.name()), ...options];
  return [{ path: path.join(" "), words }, ...below];
}

/**
 * Defines `ops`, which runs the commands in any folder, and its completion. Nothing is started while one types: names of stacks
 * are those of the files in stacks/.
 */
export function completionScript(program: Command, root: string): string {
  const folder = `'${root.replaceAll("'", "'\\''")}'`;
  const cases = steps(program).map(({ path, words }) => `    ${path === "" ? "''" : `'${path}'`}) words='${words.join(" ")}' ;;`);
  return `# Written by: npm run --silent ops -- completion. For bash and zsh, to be sourced.
if [ -n "\${ZSH_VERSION:-}" ]; then autoload -U +X compinit bashcompinit && compinit -u && bashcompinit; fi
ops() { (. ${folder}/.local/env.sh && node ${folder}/infra/ops.ts "$@"); }
_comfyui_ops() {
  local word path='' words='' current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} at
  for ((at = 1; at < COMP_CWORD && at < 3; at++)); do
    word=\${COMP_WORDS[at]}
    case $word in -*) break ;; esac
    path="\${path:+$path }$word"
  done
  case $before in --stack | --from | --to)
    local file
    for file in ${folder}/stacks/Pulumi.*.yaml; do
      file=\${file##*/Pulumi.}
      words="$words \${file%.yaml}"
    done
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return ;;
  esac
  # Behind a command of one word stand its arguments.
  while :; do
    case $path in
${cases.map((line) => `  ${line}`).join("\n")}
      *)
        [ "$path" != "\${path% *}" ] || return 0
        path=\${path% *}
        continue ;;
    esac
    break
  done
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _comfyui_ops ops
`;
}
