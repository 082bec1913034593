#!/bin/sh
# Makes the authority of this installation, and certificates for Temporal and for those that call it: davit's server and
# workers, and Temporal's UI. Running it again renews those that end within 60 days.
set -eu
davit() { node /opt/davit/src/cli/main.ts "$@"; }
umask 022
davit ca init --if-missing --name "davit of $(hostname)"
davit ca issue temporal --for temporal --host temporal --out /certificates/temporal --keep 60 --shared
davit ca issue client --for worker --out /certificates/clients --keep 60 --shared
for folder in temporal clients; do
  cp /var/lib/davit/ca/ca.crt "/certificates/$folder/ca.crt.new"
  mv "/certificates/$folder/ca.crt.new" "/certificates/$folder/ca.crt"
done
