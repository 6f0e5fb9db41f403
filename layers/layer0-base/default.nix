# The base: command-line tools, certificates, time zones, locale, fonts, CUDA's compiler where a flavor has one, and the image's
# own / (users, /tmp, /data).
{ pkgs, platform, files, settings, ... }:
let
  # programs: attributes of the package set. fonts: likewise. cuda: the set of CUDA packages, or null.
  chosen = files.chosen "layer0-base.json";
  nothing = { programs = [ ]; links = { }; env = { }; };
  fonts = if chosen.fonts == [ ] then nothing else import ./fonts.nix { inherit pkgs; inherit (chosen) fonts; };
  cuda = if chosen.cuda == null then nothing else import ./cuda.nix { inherit pkgs; cudaPackages = pkgs.${chosen.cuda}; };

  # For the NVIDIA Container Toolkit, and for what it mounts: this image's loader looks into no folder of a host's by itself.
  gpu = if !settings ? gpu then { } else {
    COMFYUI_NVIDIA_DRIVER = toString settings.gpu.driver;
    NVIDIA_VISIBLE_DEVICES = "all";
    # Video: ffmpeg's encoders.
    NVIDIA_DRIVER_CAPABILITIES = "compute,utility,video";
    LD_LIBRARY_PATH = "/usr/lib64:/usr/lib/${platform.triplet}:/run/opengl-driver/lib";
  };
in
{
  programs = map (name: pkgs.${name}) chosen.programs ++ fonts.programs ++ cuda.programs;

  root = {
    tree = "${./root}";
    directories = {
      "tmp" = { mode = "1777"; };
      "var/tmp" = { mode = "1777"; };
      "root" = { mode = "0700"; };
      "home/comfyui" = { uid = 1000; gid = 1000; };
      # Models, inputs and outputs. Open to all, for `docker run --user`: a new volume takes over mode and owner.
      "data" = { mode = "1777"; uid = 1000; gid = 1000; };
    };
    links = {
      "bin/sh" = "${pkgs.bash}/bin/sh";
      # Where programs look that do not know SSL_CERT_FILE.
      "etc/ssl/certs/ca-certificates.crt" = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
      "usr/bin/env" = "${pkgs.coreutils}/bin/env";
    } // fonts.links // cuda.links;
  };

  config = _: {
    Env = {
      HOME = "/home/comfyui";
      LANG = "C.UTF-8";
      LOCPATH = "${pkgs.glibc}/lib/locale";
      SSL_CERT_FILE = "${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt";
      TERMINFO_DIRS = "${pkgs.ncurses}/share/terminfo";
      TZDIR = "${pkgs.tzdata}/share/zoneinfo";
    } // fonts.env // cuda.env // gpu;
    User = "1000:1000";
    WorkingDir = "/data";
    Cmd = [ "bash" ];
    Labels = {
      "org.opencontainers.image.title" = "ComfyUI";
      "org.opencontainers.image.url" = "https://github.com/Comfy-Org/ComfyUI";
    };
  };
}
