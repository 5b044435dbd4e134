-- A member that joins reads what it lacks from another as this user.
CREATE USER IF NOT EXISTS 'replication'@'%';
ALTER USER 'replication'@'%' IDENTIFIED BY '$replication';
GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'replication'@'%';
-- deploy/cluster/roles.py
CREATE USER IF NOT EXISTS 'roles'@'%';
ALTER USER 'roles'@'%' IDENTIFIED BY '$roles';
GRANT SELECT ON performance_schema.replication_group_members TO 'roles'@'%';
GRANT SELECT ON performance_schema.replication_group_member_stats TO 'roles'@'%';
-- deploy/cluster/steward.py; SYSTEM_VARIABLES_ADMIN is for group_replication_bootstrap_group.
CREATE USER IF NOT EXISTS 'steward'@'%';
ALTER USER 'steward'@'%' IDENTIFIED BY '$steward';
GRANT GROUP_REPLICATION_ADMIN, SYSTEM_VARIABLES_ADMIN ON *.* TO 'steward'@'%';
GRANT SELECT ON performance_schema.replication_group_members TO 'steward'@'%';
GRANT SELECT ON performance_schema.replication_connection_status TO 'steward'@'%';
