# The app: it is there, and keeps what it is told in /data.
set -eu
mkdir -p /data /site
echo "alive" > /site/health
exec httpd -f -p 8080 -h /site
