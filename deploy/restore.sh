#!/usr/bin/env bash
# Brings a backup into an empty stack: `make restore FILE=…`; docs/backup/README.md.
#   FILE                      what `make backup` wrote
#   BACKUP_PASSPHRASE_FILE    the passphrase, if it was encrypted with one (or BACKUP_PASSPHRASE);
#                             a private key is looked for in your own GnuPG keyring
#   LOGINS=end                make new signing keys, which ends every login that was ever made
#   SERVICES=web              start these in the end, and what they need; all, unless given
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."

say() { printf 'loguserapp: %s\n' "$*" >&2; }
fail() {
	say "nothing was restored: $*"
	exit 1
}
. deploy/database.sh
sql() { database mysql -BN "$@"; }

[ -n "${FILE:-}" ] || fail "which backup? make restore FILE=backups/…"
[ -r "$FILE" ] || fail "$FILE cannot be read"
case ${LOGINS:=keep} in keep | end) ;; *) fail "LOGINS is $LOGINS: it must be keep or end" ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passphrase=${BACKUP_PASSPHRASE:-}
[ -z "${BACKUP_PASSPHRASE_FILE:-}" ] || passphrase=$(<"$BACKUP_PASSPHRASE_FILE")
if [[ $FILE != *.gpg ]]; then
	cp "$FILE" "$work/backup"
elif [ -n "$passphrase" ]; then
	mkdir "$work/gpg"
	gpg --homedir "$work/gpg" --batch --quiet --pinentry-mode loopback --passphrase-fd 3 --decrypt "$FILE" \
		3<<<"$passphrase" >"$work/backup" || fail "$FILE does not open with this passphrase"
	gpgconf --homedir "$work/gpg" --kill all
else
	gpg --batch --quiet --decrypt "$FILE" >"$work/backup" || fail "$FILE needs its passphrase or private key"
fi
tar -C "$work" -xzf "$work/backup" || fail "$FILE is damaged"
databases=loguserapp
[ ! -e "$work/perpustakaan.sql" ] || databases='loguserapp perpustakaan' # backups of before have none
for database in $databases; do
	tail -n 1 "$work/$database.sql" | grep -q '^-- Dump completed' || fail "the dump in $FILE is cut off"
done
for name in keyring.json secret_key; do
	[ -s "$work/instance/$name" ] || fail "$FILE holds no $name"
done

rows() { # database, table
	[ -z "$(sql -e "SELECT 1 FROM information_schema.tables WHERE table_schema = '$1' AND table_name = '$2'")" ] ||
		sql -e "SELECT id FROM $1.$2 LIMIT 1"
}
accounts() { rows loguserapp user; }
docker compose up -d --wait "$database_service" || fail "MySQL does not start"
[ -z "$(accounts)" ] || fail "this stack has accounts, and nothing is overwritten. A backup goes into an empty one"
# Its readers are numbers of accounts, which would be those of others.
[ -z "$(rows perpustakaan book)$(rows perpustakaan reader)" ] ||
	fail "this stack's library has books or readers, and nothing is overwritten. A backup goes into an empty one"
docker compose stop nginx web
if [ -n "$(accounts)" ]; then # one was made just before the web stopped
	docker compose up -d
	fail "this stack has accounts, and nothing is overwritten. A backup goes into an empty one"
fi

empty() {
	for database in $databases; do
		sql -e "DROP DATABASE $database; CREATE DATABASE $database CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	done
}
empty
for database in $databases; do
	sql $database <"$work/$database.sql" || {
		empty
		fail "MySQL did not take the dump"
	}
done
# Numbers that were given out after the backup are not given out again: what was issued for one
# account or login can never count for another.
for table in user session; do
	next=$(sql loguserapp -e "SET SESSION information_schema_stats_expiry = 0; SELECT AUTO_INCREMENT + 1000000
		FROM information_schema.tables WHERE table_schema = 'loguserapp' AND table_name = '$table'")
	sql loguserapp -e "ALTER TABLE $table AUTO_INCREMENT = $next"
done
if [ "$LOGINS" = end ]; then
	sql loguserapp -e 'UPDATE session SET revoked_at = UTC_TIMESTAMP() WHERE revoked_at IS NULL'
	docker compose run --rm --no-deps -T --entrypoint rm web -f /instance/keyring.json /instance/secret_key
else
	tar -C "$work/instance" -c . | docker compose run --rm --no-deps -T --entrypoint tar web -C /instance -x
	say "logins are as they were at the backup: what was ended since is alive again (LOGINS=end ends all)"
fi
docker compose up -d --wait ${SERVICES:-}
if [ -n "$(docker compose --profile perpustakaan ps -q perpustakaan 2>/dev/null)" ]; then # not in the cluster
	docker compose --profile perpustakaan up -d --wait # its tables may be of an older version
fi
say "restored"
