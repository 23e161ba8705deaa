#!/bin/sh
# Start PostgreSQL with the role and the database `trainyard`, whose password is DATABASE_PASSWORD.
#
# The first start makes the data folder PGDATA under another name and renames it when it is whole and on disk,
# so a start that was killed at any line is made up for by the next. The password is set at each start: the
# Secret goes with the release, the volume stays. Arguments go to the server.
set -eu

refuse() {
    echo "start-postgres: $1" >&2
    exit 1
}

# SQL of the standard input, one statement a line, by a server that nobody can connect to.
execute() {
    postgres --single -D "$1" -c exit_on_error=on -c log_min_error_statement=panic postgres >/dev/null
}

make_data_folder() {
    new=$PGDATA.new
    rm -rf "$new"
    initdb --pgdata="$new" --username=postgres --auth-local=peer --auth-host=reject \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-instructions
    cat >"$new/pg_hba.conf" <<'EOF'
local all all peer
host trainyard trainyard all scram-sha-256
EOF
    execute "$new" <<'EOF'
CREATE ROLE trainyard LOGIN
CREATE DATABASE trainyard OWNER trainyard
EOF
    initdb --pgdata="$new" --sync-only
    mv -T "$new" "$PGDATA"
    sync "$volume"
}

: "${PGDATA:?start-postgres: set it to a folder in the volume, not the volume itself}"
: "${DATABASE_PASSWORD:?start-postgres: set it to the password of the role trainyard}"
case $DATABASE_PASSWORD in *"
"*) refuse "DATABASE_PASSWORD has more than one line" ;; esac

# As process 1, the shell would ignore both signals.
trap 'exit 143' INT TERM
volume=$(dirname "$PGDATA")

# PostgreSQL's own lock holds process ids, which mean nothing in another pod. This one is kept by the server.
exec 9>"$volume/lock"
flock --timeout "${LOCK_SECONDS:-60}" 9 || refuse "another server has $volume"

[ -d "$PGDATA" ] || make_data_folder
# Where Kubernetes gives a volume to the pod's group, it opens the folder to it, which PostgreSQL refuses.
chmod 0700 "$PGDATA"
password=$(printf %s "$DATABASE_PASSWORD" | sed "s/'/''/g")
execute "$PGDATA" <<EOF
ALTER ROLE trainyard PASSWORD '$password'
EOF

unset DATABASE_PASSWORD
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
