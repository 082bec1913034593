# The app: answers requests, and stores their data in /data.
set -eu
mkdir -p /data /site
echo "alive" > /site/health
exec httpd -f -p 8080 -h /site
