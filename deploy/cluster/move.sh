#!/usr/bin/env bash
# Moves the data of the single stack, which runs, into the cluster, which is empty: accounts, logins
# and keys. Reads are answered all the time but for the seconds in which the port changes hands; what
# would change something is answered with 503 from the first line to the last.
# docs/cluster/README.md.
#   SINGLE, CLUSTER    names of the two projects; loguserapp and loguserapp-cluster
set -euo pipefail
umask 077
cd "$(dirname "$0")/../.."
unset COMPOSE_FILE COMPOSE_PROJECT_NAME

say() { printf 'loguserapp: %s\n' "$*" >&2; }
single() { COMPOSE_FILE=docker-compose.yml COMPOSE_PROJECT_NAME=${SINGLE:-loguserapp} "$@"; }
cluster() { COMPOSE_FILE=deploy/cluster/compose.yml COMPOSE_PROJECT_NAME=${CLUSTER:-loguserapp-cluster} "$@"; }
read_only() { # ON or OFF, as root, whose password is in the volume of the secrets alone
	single docker compose run --rm --no-deps -T --entrypoint cat secrets /secrets/made/root |
		single docker compose exec -T mysql bash -c \
			'MYSQL_PWD=$(cat) exec mysql -u root -e "SET GLOBAL super_read_only = '"$1"'"'
}

single docker compose exec -T mysql true || {
	say "the single stack does not run: docker compose up -d"
	exit 1
}
say "starting the members"
cluster docker compose up -d --wait haproxy
backup=$(mktemp -d)
go_back() {
	rm -rf "$backup"
	read_only OFF
	cluster docker compose stop nginx
	single docker compose start nginx
	say "nothing was moved: the single stack goes on"
}
trap go_back EXIT

begun=$SECONDS
read_only ON
say "the single stack is read-only"
single env FILE="$backup/data.tar.gz" BACKUP_PASSPHRASE= BACKUP_PASSPHRASE_FILE= BACKUP_PUBLIC_KEY= \
	deploy/backup.sh >/dev/null 2>&1
say "$(du -h "$backup/data.tar.gz" | cut -f 1) of data are read"
cluster env FILE="$backup/data.tar.gz" SERVICES=web deploy/restore.sh
single docker compose stop nginx
cluster docker compose up -d --wait
trap 'rm -rf "$backup"' EXIT
say "moved: read-only for $((SECONDS - begun)) s"
single docker compose stop
say "the single stack is stopped and keeps its data as they were: docker compose down -v deletes them"
