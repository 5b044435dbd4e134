#!/bin/bash
# Starts a member: MySQL as in the single stack (deploy/mysql/start.sh), with Group Replication.
# A member starts read-only and outside the group; deploy/cluster/steward.py lets it in.
set -euo pipefail
name=$HOSTNAME # mysql-1, mysql-2, mysql-3

# Of the options with a reason that the name does not tell:
# --group-replication-message-cache-size: the least; the default is more than the memory limit.
# --group-replication-unreachable-majority-timeout: a member that sees no majority refuses what
#   waits to be written, and becomes read-only, after this many seconds.
# --group-replication-autorejoin-tries: letting a member in again is the steward's.
# --group-replication-clone-threshold: a member that lacks more transactions copies the whole
#   database from another, then restarts.
exec bash /loguserapp/start.sh \
	--server-id="${name##*-}" --report-host="$name" --log-bin=binlog --relay-log=relay \
	--gtid-mode=ON --enforce-gtid-consistency=ON --binlog-expire-logs-seconds=604800 \
	--super-read-only=ON --skip-replica-start=ON --relay-log-recovery=OFF \
	--plugin-load-add=group_replication.so --plugin-load-add=mysql_clone.so \
	--group-replication-group-name=6c6f6775-7365-4261-a070-636c75737465 \
	--group-replication-local-address="$name:33061" \
	--group-replication-group-seeds=mysql-1:33061,mysql-2:33061,mysql-3:33061 \
	--group-replication-start-on-boot=OFF --group-replication-single-primary-mode=ON \
	--group-replication-consistency="${GROUP_REPLICATION_CONSISTENCY:-BEFORE_ON_PRIMARY_FAILOVER}" \
	--group-replication-exit-state-action=READ_ONLY --group-replication-autorejoin-tries=0 \
	--group-replication-member-expel-timeout=0 --group-replication-unreachable-majority-timeout=3 \
	--group-replication-message-cache-size=134217728 --group-replication-clone-threshold=100000 \
	--group-replication-ssl-mode=VERIFY_IDENTITY --group-replication-recovery-use-ssl=ON \
	--group-replication-recovery-ssl-verify-server-cert=ON \
	--group-replication-recovery-ssl-ca=/run/secrets/ca.pem \
	--group-replication-recovery-tls-version=TLSv1.3
