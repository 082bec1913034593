# Serves the greeting that it was started with.
set -eu
mkdir -p /tmp/site
printf '%s\n' "$GREETING" > /tmp/site/index.html
exec httpd -f -p "127.0.0.1:$PORT" -h /tmp/site
