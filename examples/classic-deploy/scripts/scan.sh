# scan.sh image|files: searches for forbidden files, and prints the number of findings in its last line.
set -eu
case "$1" in
  image) found="$(docker history --no-trunc --format '{{.CreatedBy}}' "$IMAGE:$TAG" | grep -ci 'password' || true)" ;;
  files) found="$(grep -rc 'TODO' www manifests | awk -F: '{ sum += $2 } END { print sum + 0 }')" ;;
esac
echo "$found findings in $1"
