# Names of Python distributions and of their files (packaging.python.org: "Name normalization", "Binary distribution format",
# "Source distribution file name").
let
  characters = text: builtins.genList (at: builtins.substring at 1 text) (builtins.stringLength text);
  lowerCase = builtins.replaceStrings (characters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (characters "abcdefghijklmnopqrstuvwxyz");
  parts = pattern: text: builtins.filter builtins.isString (builtins.split pattern text);

  # A build number, where there is one, stands between version and tags.
  wheel = file:
    let
      found = parts "-" (builtins.head (builtins.match "(.*)\\.whl" file));
      count = builtins.length found;
      part = builtins.elemAt found;
    in
    if count != 5 && count != 6 then throw "${file} is no name of a wheel: NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl is expected"
    else {
      format = "wheel";
      pname = part 0;
      version = builtins.concatStringsSep "-" (builtins.genList (at: part (at + 1)) (count - 4));
      python = part (count - 3);
      # Part of the index's address of a wheel.
      dist = part (count - 3);
      abi = part (count - 2);
      platform = part (count - 1);
    };

  source = file:
    let found = builtins.match "(.+)-([^-]+)\\.(tar\\.gz|tar\\.bz2|tar\\.xz|tgz|zip)" file; in
    if found == null then throw "${file} is no name of a distribution: a wheel or NAME-VERSION.tar.gz is expected"
    else {
      format = "setuptools";
      pname = builtins.elemAt found 0;
      version = builtins.elemAt found 1;
      extension = builtins.elemAt found 2;
    };
in
rec {
  isWheel = file: builtins.match ".*\\.whl" file != null;

  # Foo_Bar.baz and foo-bar-baz are one project.
  normalize = name: builtins.concatStringsSep "-" (parts "[-_.]+" (lowerCase name));

  # What nixpkgs' fetchPypi has to be told to ask for exactly this file.
  fetchPypiArguments = file: if isWheel file then wheel file else source file;
}
