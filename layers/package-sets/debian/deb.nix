# A Debian package (or several) as one store path: bin/, lib/ and chosen parts of share/ at its root, every program and library
# bound to the store paths of its dependencies.
{ platform, files, stage0 }:
let
  # dependencies: packages whose lib/ may be linked against. share: folders of /usr/share to keep. without: programs to leave
  # out. finish: shell code.
  make = { glibc }: pname: { packages ? [ pname ], dependencies ? [ ], share ? [ ], without ? [ ], finish ? "" }:
    stage0.run {
      inherit pname;
      version = files.debVersion (builtins.head packages);
      env = {
        debs = map files.debFile packages;
        libraryPath = map (package: "${package}/lib") (dependencies ++ [ glibc ]);
        loader = "${glibc}/lib/${platform.loader}";
        inherit (stage0) patchelf;
        inherit share without;
      };
      script = ''
        unpack_debs root $debs
        mkdir -p "$out"
        copy_if_there root/usr/bin "$out/bin"
        copy_if_there root/usr/sbin "$out/bin"
        copy_if_there "root/usr/lib/$triplet" "$out/lib"
        for folder in $share; do copy_if_there "root/usr/share/$folder" "$out/share/$folder"; done
        for program in $without; do rm -f "$out/bin/$program"; done
        set_rpaths "$out" "$loader" "$out/lib" $libraryPath
        ${finish}
        drop_dead_links "$out"
      '';
    };
in
{ inherit make; }
