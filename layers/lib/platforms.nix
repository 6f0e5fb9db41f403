# The one table of what differs between machines. Debian's triplet and loader are those of glibc's own ABI.
{
  x86_64-linux = {
    oci = { architecture = "amd64"; os = "linux"; };
    debian = "amd64";
    triplet = "x86_64-linux-gnu";
    loader = "ld-linux-x86-64.so.2";
  };
  aarch64-linux = {
    oci = { architecture = "arm64"; os = "linux"; variant = "v8"; };
    debian = "arm64";
    triplet = "aarch64-linux-gnu";
    loader = "ld-linux-aarch64.so.1";
  };
}
