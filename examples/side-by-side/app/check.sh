# check.sh NAME: inside of the app. Nobody else has written to its data, and its stub gives the default branch's answer.
set -eu
test ! -e /data/owner
echo "$1" > /data/owner
greeting="$(wget -q -O - http://stub:8080/greeting)"
echo "stub says: $greeting"
test -n "$greeting"
test "$(cat /data/owner)" = "$1"
