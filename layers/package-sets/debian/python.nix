# Python 3.14, and what builds wheels.
{ files, stage0, libraries, platform }:
let
  version = builtins.head (builtins.split "-" (files.debVersion "python3.14-minimal"));
  sitePackages = "lib/python3.14/site-packages";

  interpreter = stage0.run {
    pname = "python3";
    inherit version;
    env = {
      debs = map files.debFile [ "python3.14-minimal" "libpython3.14-minimal" "libpython3.14-stdlib" ];
      libraryPath = map (library: "${library}/lib") (with libraries;
        [ zlib expat openssl libffi bzip2 liblzma sqlite libzstd readline ncurses libuuid db glibc ]);
      loader = "${libraries.glibc}/lib/${platform.loader}";
      inherit (stage0) patchelf;
      compile = ../../lib/compile.py;
    };
    script = "source ${./python.sh}";
  };

  # A pure wheel, unpacked: enough for tools that are used by `python -m`.
  tool = name: stage0.run {
    pname = "python3.14-${name}";
    version = files.wheelVersion name;
    env.src = files.wheelFile name;
    script = ''
      mkdir -p "$out/${sitePackages}"
      unzip -q "$src" -d "$out/${sitePackages}"
    '';
  } // { pname = name; };
in
{
  python314 = interpreter // {
    inherit sitePackages;
    pythonVersion = "3.14";
    interpreter = "${interpreter}/bin/python3.14";
  };
  python314Packages = builtins.listToAttrs (map (name: { inherit name; value = tool name; })
    [ "installer" "packaging" "pip" "setuptools" "wheel" ]) // {
    # None of these propagates another.
    requiredPythonModules = packages: packages;
  };
}
