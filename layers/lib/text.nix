# Text for shell scripts.
rec {
  # One word for a POSIX shell, whatever it holds.
  shellWord = word: "'" + builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString word) + "'";
  shellWords = words: builtins.concatStringsSep " " (map shellWord words);
  # { NAME = value; } as NAME=value
  assignments = values: map (name: "${name}=${values.${name}}") (builtins.attrNames values);
}
