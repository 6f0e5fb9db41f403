# CUDA's compiler and headers, for nodes that compile kernels while they run: one folder, as they look for it (CUDA_HOME), and
# the C compiler that this nvcc works with.
#
# CUDA's libraries are not here. They come with layer3-pytorch, as NVIDIA's own wheels, and from nowhere else: torch is built for
# exactly those versions and requires them, whereas nixpkgs moves on (for one CUDA its cuDNN went from 9.13 to 9.27; torch 2.10
# wants 9.15.1). Both together would be 2 GB twice, and which copy a process loads would be chance.
{ pkgs, cudaPackages }:
let
  # Some revisions of nixpkgs have all of a package in one output, others in several.
  outputs = package: map (output: package.${output}) package.outputs;
  headers = builtins.concatMap outputs [ cudaPackages.cuda_cudart cudaPackages.cuda_cccl cudaPackages.cuda_crt ];
  inherit (cudaPackages.backendStdenv) cc;
  toolkit = pkgs.runCommand "cuda-toolkit-${cudaPackages.cudaMajorMinorVersion}"
    {
      compiler = cudaPackages.cuda_nvcc;
      inherit headers;
      nativeBuildInputs = [ pkgs.patchelf ];
      # What is taken from these is copied; a reference would bring the libraries along.
      disallowedReferences = headers;
    }
    "source ${./cuda.sh}";
in
{
  programs = [ toolkit cc ];
  links = { };
  env = {
    CUDA_HOME = "${toolkit}";
    CUDA_PATH = "${toolkit}";
    # nvcc itself lies elsewhere and looks beside itself.
    NVCC_PREPEND_FLAGS = "-I${toolkit}/include -L${toolkit}/lib -L${toolkit}/lib/stubs";
    CC = "${cc}/bin/gcc";
    CXX = "${cc}/bin/g++";
  };
}
