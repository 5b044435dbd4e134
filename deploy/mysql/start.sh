#!/bin/bash
# Starts MySQL, making its database first on a volume that has none. It takes the place of the
# image's own entry point, which sets users and passwords only on an empty volume and takes a
# volume whose first start was cut off for a finished one. Here
#   - a database is made beside its place and moved there whole;
#   - users, passwords and rights are set at every start, before anyone can connect: they are
#     those of the secrets even on a volume that knew others.
# Arguments are further options of mysqld: deploy/cluster/start.sh has some.
set -euo pipefail
data=/var/lib/mysql/data

if [ ! -d "$data" ]; then
	echo "loguserapp: this volume holds no database: making one" >&2
	rm -rf "$data.new"
	mysqld --initialize-insecure --datadir="$data.new" --loose-innodb-numa-interleave=OFF
	mv "$data.new" "$data"
fi

# --disable-log-bin: one server and a dump for a backup need no second log of every change.
# --innodb-*: within the memory limit; committed means on the disk.
exec mysqld --datadir="$data" --init-file=/run/secrets/users.sql \
	--require-secure-transport=ON --tls-version=TLSv1.3 \
	--ssl-ca=/run/secrets/ca.pem --ssl-cert=/run/secrets/server.pem --ssl-key=/run/secrets/server.pem \
	--character-set-server=utf8mb4 --collation-server=utf8mb4_bin --default-time-zone=+00:00 \
	--skip-name-resolve --mysqlx=OFF --disable-log-bin --max-connections=300 \
	--loose-innodb-numa-interleave=OFF --innodb-buffer-pool-size=256M --innodb-flush-log-at-trx-commit=1 --local-infile=OFF \
	--log-error-verbosity=2 "$@"
