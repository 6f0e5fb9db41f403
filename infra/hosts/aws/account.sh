#!/usr/bin/env bash
# account.sh: makes what an account needs before its first stack: a bucket for Pulumi's state, and a key that encrypts the
# secrets in it. What is there already is left as it is. Cost: some cents for the bucket, 1 USD a month for the key.
# stdin {protocol, region}; stdout {"account", "bucket", "backend", "secretsProvider"}
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../common.sh"
. "$HOSTS/aws/cli.sh"

need jq
read_request .region
need_aws "$(asked .region)"
region=$(asked .region)
alias=alias/comfyui-state

account=$(call sts get-caller-identity --query Account) || give_up "say which account this is"
account=$(jq -r . <<<"$account")
bucket=comfyui-state-$account-$region

make_bucket() {
  local where=(--create-bucket-configuration "LocationConstraint=$region")
  # The one region that must not be named.
  [ "$region" != us-east-1 ] || where=()
  say "making the bucket $bucket"
  call s3api create-bucket --bucket "$bucket" "${where[@]}" >/dev/null || give_up "make the bucket $bucket"
}

# Each time: a run that was cut off may have left the bucket without them.
secure_bucket() {
  call s3api put-public-access-block --bucket "$bucket" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true >/dev/null || give_up "make the bucket $bucket private"
  call s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled >/dev/null || give_up "keep old versions in $bucket"
  call s3api put-bucket-encryption --bucket "$bucket" --server-side-encryption-configuration \
    '{"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}' >/dev/null || give_up "encrypt the bucket $bucket"
}

make_key() {
  local key
  say "making the key $alias"
  key=$(call kms create-key --description "secrets in the state of comfyui" --query KeyMetadata.KeyId) || give_up "make a key"
  key=$(jq -r . <<<"$key")
  call kms enable-key-rotation --key-id "$key" >/dev/null || give_up "rotate the key $key"
  call kms create-alias --alias-name "$alias" --target-key-id "$key" >/dev/null || give_up "name the key $key"
}

call s3api head-bucket --bucket "$bucket" >/dev/null || {
  refused 404 || give_up "show the bucket $bucket"
  make_bucket
}
secure_bucket
call kms describe-key --key-id "$alias" >/dev/null || {
  refused NotFoundException || give_up "show the key $alias"
  make_key
}

jq -cn --arg account "$account" --arg bucket "$bucket" --arg region "$region" --arg alias "$alias" '
  {account: $account, bucket: $bucket, backend: "s3://\($bucket)?region=\($region)", secretsProvider: "awskms://\($alias)?region=\($region)"}'
