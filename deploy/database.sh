# For backup.sh and restore.sh: how the database of this stack is reached as the owner of its tables.
# In the cluster (COMPOSE_FILE=deploy/cluster/compose.yml) any member is the client of the primary.
database_service=mysql # the service that is healthy when the database is
primary=
if docker compose config --services | grep -qx haproxy; then
	database_service=haproxy
	primary='--host=mysql --ssl-mode=VERIFY_IDENTITY --ssl-ca=/run/secrets/ca.pem'
fi

database() { # program, arguments
	local program=$1 client=mysql
	shift
	[ -z "$primary" ] || client=$(docker compose ps --services --status running | grep -m 1 '^mysql-') || return
	docker compose exec -T "$client" "$program" --defaults-extra-file=/run/secrets/owner.cnf $primary "$@"
}
