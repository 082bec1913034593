# scan.sh image|files: looks for what should not be there, and says how much it found in its last line.
set -eu
case "$1" in
  image) found="$(docker history --no-trunc --format '{{.CreatedBy}}' "$IMAGE:$TAG" | grep -ci 'password' || true)" ;;
  files) found="$(grep -rc 'TODO' www manifests | awk -F: '{ sum += $2 } END { print sum + 0 }')" ;;
esac
echo "$found findings in $1"
