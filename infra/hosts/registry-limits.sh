# shellcheck shell=bash
# What registries take of one image, as far as they say so. Sourced, never run.

# known_limits REPOSITORY: as the `limits` of a request, by the registry's name; {} where nobody knows any. More blobs than an
# engine can stack are no registry's matter: layers/lib/make_image.py refuses them.
known_limits() {
  case ${1%%/*} in
    # Service quotas of Amazon ECR: 52,000 MiB; of ECR Public: 10,000 MiB.
    *.dkr.ecr.*.amazonaws.com | *.dkr.ecr.*.amazonaws.com.cn) printf '{"layerBytes": 54525952000}' ;;
    public.ecr.aws) printf '{"layerBytes": 10485760000}' ;;
    # "Working with the Container registry", troubleshooting: 10 GB.
    ghcr.io) printf '{"layerBytes": 10000000000}' ;;
    # "Azure Container Registry service tiers": 200 GiB.
    *.azurecr.io) printf '{"layerBytes": 214748364800}' ;;
    *) printf '{}' ;;
  esac
}
