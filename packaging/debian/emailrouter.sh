#!/bin/sh
# Runs the program as its own user and with the configuration of this host. Files that root creates would be unreadable
# for the service. Other users run the program with their own permissions.
set -e
program=/opt/emailrouter/bin/emailrouter
if [ "$(id -u)" != 0 ]; then
    exec "$program" "$@"
fi
for key in server.secret_key:SERVER__SECRET_KEY database.url:DATABASE__URL \
    checks.rspamd_password:CHECKS__RSPAMD_PASSWORD outgoing.smarthost:OUTGOING__SMARTHOST \
    outgoing.smarthost_password:OUTGOING__SMARTHOST_PASSWORD; do
    file="/etc/credstore/emailrouter.${key%:*}" # the secrets that the units read
    if [ -e "$file" ]; then
        export "EMAILROUTER_${key#*:}=$(cat "$file")"
    fi
done
exec runuser -u emailrouter -- "$program" --config /etc/emailrouter/emailrouter.toml "$@"
