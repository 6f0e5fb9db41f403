# A Debian package (or several) as one store path: bin/ and lib/ at its root, every program and library
# bound to the store paths of its dependencies.
{ platform, files, stage0 }:
let
  # dependencies: packages whose lib/ may be linked against. without: programs to leave out. finish: shell
  # code. mainProgram: what has to run in the end.
  make = { glibc }: pname: { packages ? [ pname ], dependencies ? [ ], without ? [ ], finish ? "", mainProgram ? "" }:
    stage0.run {
      inherit pname;
      version = files.debVersion (builtins.head packages);
      env = {
        debs = map files.debFile packages;
        libraryPath = map (package: "${package}/lib") (dependencies ++ [ glibc ]);
        loader = "${glibc}/lib/${platform.loader}";
        inherit (stage0) patchelf;
        inherit without mainProgram;
      };
      script = ''
        unpack_debs root $debs
        mkdir -p "$out"
        copy_if_there root/usr/bin "$out/bin"
        copy_if_there root/usr/sbin "$out/bin"
        copy_if_there "root/usr/lib/$triplet" "$out/lib"
        for program in $without; do rm -f "$out/bin/$program"; done
        drop_unusable_programs "$out/bin" "$out/lib" $libraryPath
        set_rpaths "$out" "$loader" "$out/lib" $libraryPath
        ${finish}
        drop_dead_links "$out"
        [ -z "$mainProgram" ] || "$out/bin/$mainProgram" --version > /dev/null
      '';
    };
in
{ inherit make; }
