#!/bin/sh
# Creates what docker-compose.yml needs and nobody should write by hand: secrets, and the group of the engine's socket.
# Existing files are kept. The folder is closed to other users; its files are open to the users that the containers run as.
# Run it again after adding a key for a board to compose/ssh.
set -eu
cd "$(dirname "$0")"
user=10001 # of davit's image (Dockerfile)
mkdir -p secrets ssh
chmod 0700 secrets
random() {
  [ -s "secrets/$1" ] && return
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"secrets/$1.new"
  chmod 0444 "secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
  echo "created compose/secrets/$1"
}
workers='worker-arm32 worker-arm64 worker-amd64 worker-deploy'
for name in postgres-password worker-token cli-token control-token; do random "$name"; done
for name in $workers; do random "$name-token"; done
command -v openssl >/dev/null || { echo "openssl is missing: it makes keys and hashes" >&2; exit 1; }
# The server knows the other workers by the hashes of their tokens.
for name in $workers; do
  echo "$name $(tr -d '\n' <"secrets/$name-token" | openssl dgst -sha256 -r | cut -d' ' -f1)"
done >secrets/workers.new
chmod 0444 secrets/workers.new
mv secrets/workers.new secrets/workers
# The server signs the tokens of the registry; the registry knows the certificate.
if ! [ -s secrets/registry-key ] || ! [ -s secrets/registry-cert ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=davit registry" \
    -keyout secrets/registry-key.new -out secrets/registry-cert.new 2>/dev/null
  cat secrets/registry-cert.new >>secrets/registry-key.new
  chmod 0444 secrets/registry-key.new secrets/registry-cert.new
  mv secrets/registry-cert.new secrets/registry-cert
  mv secrets/registry-key.new secrets/registry-key
  echo "created compose/secrets/registry-key"
fi
socket="${DOCKER_SOCKET:-/var/run/docker.sock}"
if ! grep -qs '^DOCKER_GID=' ../.env; then
  group=$(stat -c %g "$socket") || { echo "there is no engine at $socket" >&2; exit 1; }
  echo "DOCKER_GID=$group" >>../.env
  echo "added DOCKER_GID=$group to .env"
fi

# ssh accepts only a key that is closed to others, so the key must belong to the containers' user.
if [ "$(id -u)" = 0 ]; then
  chown -R "$user:$user" ssh
  chmod 0700 ssh
elif [ -n "$(find ssh ! -user "$user" 2>/dev/null)" ] && [ -n "$(ls -A ssh 2>/dev/null)" ]; then
  echo "the workers cannot read compose/ssh yet: sudo chown -R $user:$user compose/ssh"
fi

# Workers of foreign architectures need the kernel's emulation.
rules=/proc/sys/fs/binfmt_misc
case "$(uname -m)" in
  x86_64) foreign='arm:arm32 aarch64:arm64' ;;
  aarch64) foreign='x86_64:amd64' ;;
  *) foreign='' ;;
esac
[ -d "$rules" ] || foreign=''
for pair in $foreign; do
  [ -e "$rules/qemu-${pair%:*}" ] && continue
  echo "this kernel does not emulate ${pair#*:}, and worker-${pair#*:} will not become healthy. Either emulate it:"
  echo "  docker run --rm --privileged tonistiigi/binfmt:qemu-v9.2.2 --install arm,arm64,amd64"
  echo "or give it a board's engine, for example ARM32_DOCKER=ssh://pi@board in .env"
done
