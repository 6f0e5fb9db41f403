# A copy of layers/ that holds exactly the listed paths, so that code which reads anything else fails and names the file.
# The result has no string context: a derivation that uses one of its files depends on that file alone, not on the whole copy.
{ root, name, paths }:
let
  prefix = toString root + "/";
  isFolder = path: builtins.substring (builtins.stringLength path - 1) 1 path == "/";
  startsWith = start: text: builtins.substring 0 (builtins.stringLength start) text == start;
  listed = path: builtins.any (entry: if isFolder entry then startsWith entry (path + "/") else entry == path) paths;
  # A folder on the way to a listed path.
  leadsTo = path: builtins.any (entry: startsWith (path + "/") entry) paths;

  # Folders without files are left out: git has none, and a fingerprint over files does not see them.
  holdsFile = absolute:
    let entries = builtins.readDir absolute; in
    builtins.any
      (name: entries.${name} != "directory" || holdsFile "${absolute}/${name}")
      (builtins.attrNames entries);

  keep = absolute: type:
    let path = builtins.substring (builtins.stringLength prefix) (builtins.stringLength absolute) absolute; in
    if !(listed path || (type == "directory" && leadsTo path)) then false
    else if type == "directory" then holdsFile absolute
    else if type == "symlink" then throw "layers/${path} is a symbolic link: inputs of a layer are plain files and folders"
    else true;
in
/. + builtins.unsafeDiscardStringContext (builtins.path { inherit name; path = root; filter = keep; })
