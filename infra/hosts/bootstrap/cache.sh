# shellcheck shell=bash
# The role of a cache host: serves its store over HTTP, and takes what a trusted key signed from the build hosts' push keys.
# Settings: {role: "cache", stack, authorizedKeys, server: "nix-serve-ng" | "nix-serve" | "harmonia", serverPath: null | path of its
# program, nixpkgs: flake reference, publicKeys, pushKeys, domain: null | name, port, auth: null | {user, password}, priority,
# volume}. CACHE_PUSH holds cache-push.sh without its comments.

readonly LIB=/usr/local/lib/comfyui INTERNAL=127.0.0.1:5000

# server_program: the server's program, by the settings' path or from nixpkgs, where it comes built from cache.nixos.org.
server_program() {
  local kind path
  kind=$(setting .server)
  path=$(setting .serverPath)
  if [ -z "$path" ]; then
    from_nixpkgs "$(setting .nixpkgs)" "$kind" /nix/var/nix/gcroots/comfyui-server ||
      fail BOOTSTRAP_SERVER "$kind could not be had from nixpkgs" "see that this host reaches cache.nixos.org and GitHub, or install $kind and set serverPath"
    path=/nix/var/nix/gcroots/comfyui-server/bin/$([ "$kind" = harmonia ] && echo harmonia-cache || echo nix-serve)
  fi
  [ -x "$path" ] || fail BOOTSTRAP_SERVER "the cache's server is not there" "install it, or leave serverPath out" "$path" "a program"
  printf '%s' "$path"
}

# Through the daemon, and without remembering which paths it once did not find.
readonly REMOTE='NIX_REMOTE=auto?path-info-cache-size=0'

# server_unit PROGRAM: the server as a user who may only look. It gets no key: the paths carry the build host's signatures.
server_unit() {
  local start=$1 environment='' access=''
  case $(setting .server) in
    # Without this option it answers HEAD with a body, which garbles the next answer on that connection.
    nix-serve) start+=" --host ${INTERNAL%:*} --port ${INTERNAL#*:} --workers 8 --disable-keepalive" environment=$REMOTE ;;
    nix-serve-ng) start+=" --listen $INTERNAL" environment=$REMOTE ;;
    harmonia)
      # Blobs are compressed, and readers are near: 3.2 would compress all of it at each request, which halves its speed. 3.0 is
      # the first that knows this option.
      put /etc/comfyui/harmonia.toml 644 root:root "bind = \"$INTERNAL\"
workers = 4
priority = $(setting .priority)
enable_compression = false"
      environment=CONFIG_FILE=/etc/comfyui/harmonia.toml access=ReadWritePaths=/nix/var/nix/db
      ;;
  esac
  put /etc/systemd/system/comfyui-cache.service 644 root:root "[Unit]
Description=Nix binary cache of comfyui
Requires=nix-daemon.socket
After=network.target nix-daemon.service
RequiresMountsFor=/nix/store

[Service]
ExecStart=$start
User=comfyui-cache
Environment=$environment
Restart=always
RestartSec=2
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_INET AF_UNIX
$access

[Install]
WantedBy=multi-user.target"
}

# folders: the push key's user may make roots, harmonia's the write-ahead files that SQLite wants beside the database. The
# sticky bit lets it neither rename nor remove the database, nor anything else of root's.
folders() {
  local database=''
  [ "$(setting .server)" != harmonia ] || database='d /nix/var/nix/db 1775 root comfyui-cache -'
  put /etc/tmpfiles.d/comfyui-cache.conf 644 root:root "d /nix/var/nix/gcroots/comfyui 2775 comfyui-push comfyui-push -
$database"
  systemd-tmpfiles --create comfyui-cache.conf
}

# password_hash: bcrypt, of standard input only; the one that Caddy has already where the password is still the same.
password_hash() {
  local user old
  user=$(setting .auth.user)
  old=$(sed -n "s|^ *$user \(\\\$2a\\\$.*\)$|\1|p" /etc/caddy/Caddyfile)
  # shellcheck disable=SC2016  # Perl's variables
  if [ -n "$old" ] && { printf '%s\n' "$old" && setting .auth.password; } |
    perl -e 'chomp(my ($hash, $password) = <STDIN>); exit(crypt($password, $hash) ne $hash)'; then
    printf '%s' "$old"
  else
    setting .auth.password | caddy hash-password
  fi
}

# caddy_file: what the world sees. Its priority is ours whatever the server says: public caches are asked for public paths.
caddy_file() {
  local domain port content log check auth=''
  domain=$(setting .domain)
  port=$(setting .port)
  if [ -n "$(setting .auth.user)" ]; then
    auth="basicauth {
    $(setting .auth.user) $(password_hash)
  }"
  fi
  content="{
  admin off
}
${domain:-http://}:$port {
  $auth
  handle /nix-cache-info {
    header Content-Type text/x-nix-cache-info
    respond \"StoreDir: /nix/store
WantMassQuery: 1
Priority: $(setting .priority)
\"
  }
  handle {
    reverse_proxy $INTERNAL
  }
}"
  check=$(mktemp)
  printf '%s\n' "$content" >"$check"
  log=$(caddy validate --config "$check" --adapter caddyfile 2>&1) ||
    fail BOOTSTRAP_CADDY "Caddy does not take its new settings, so it keeps the old ones: $(tail -n 1 <<<"$log")" "correct the cache's domain, port or user"
  rm "$check"
  put /etc/caddy/Caddyfile 640 root:caddy "$content"
}

# stacks_keys KIND: the keys of all stacks that use this cache, a line each: this stack's as they are now, the others' as they
# were when those set it up.
stacks_keys() {
  put "/etc/comfyui/$1/$(setting .stack)" 644 root:root "$(setting ".$1[]")"
  cat /etc/comfyui/"$1"/* | LC_ALL=C sort -u
}

role() {
  local program domain keys user
  install_nix
  packages caddy perl-base
  account comfyui --create-home --shell /bin/bash
  account comfyui-push --system --home-dir / --shell /bin/bash
  account comfyui-cache --system --home-dir / --shell /usr/sbin/nologin
  for user in comfyui comfyui-push comfyui-cache; do member "$user" nix-users; done
  member comfyui comfyui-push
  keys=$(setting '.authorizedKeys[]?' && admin_keys)
  login_keys comfyui "$keys"
  keys=$(stacks_keys pushKeys)
  login_keys comfyui-push "$keys"
  put "$LIB/messages.sh" 644 root:root "$(declare -f say fail)"
  put "$LIB/cache-push.sh" 755 root:root "#!/usr/bin/env bash
$CACHE_PUSH"
  sshd_settings "Match User comfyui
  AuthorizedKeysFile /etc/ssh/comfyui/%u
Match User comfyui-push
  AuthorizedKeysFile /etc/ssh/comfyui/%u
  AuthenticationMethods publickey
  ForceCommand $LIB/cache-push.sh
  DisableForwarding yes
  PermitTTY no
  PermitUserRC no"
  keys=$(stacks_keys publicKeys)
  nix_conf "trusted-users = root
max-jobs = 0
builders =
substituters =
trusted-public-keys = ${keys//$'\n'/ }"
  nix_daemon
  program=$(server_program)
  server_unit "$program"
  folders
  caddy_file
  service comfyui-cache.service /etc/systemd/system/comfyui-cache.service
  service caddy.service /etc/caddy/Caddyfile
  domain=$(setting .domain)
  answer role=cache "nix=$(nix --version)" "url=$([ -z "$domain" ] || echo "https://$domain$([ "$(setting .port)" = 443 ] || echo ":$(setting .port)")")"
}

bootstrap
