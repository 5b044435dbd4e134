-- The database of loguserapp for an empty MySQL server: mysql < sql/loguserapp.sql
-- Generated from the migrations by `make sql`; change those, not this.

CREATE DATABASE IF NOT EXISTS loguserapp CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE loguserapp;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

ALTER TABLE alembic_version COMMENT 'Which migration the tables stand at', DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, MODIFY version_num VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'Name of the newest migration';

CREATE TABLE user (
    id INTEGER NOT NULL COMMENT 'Number of the account, never reused' AUTO_INCREMENT, 
    username VARCHAR(80) NOT NULL COMMENT 'Name as the person wrote it', 
    email VARCHAR(120) COMMENT 'E-mail as the person wrote it, or NULL', 
    password VARCHAR(200) COMMENT 'bcrypt hash, or NULL where there is no password', 
    username_key VARCHAR(255) NOT NULL COMMENT 'username without regard to case: decides uniqueness', 
    email_key VARCHAR(255) COMMENT 'email without regard to case: decides uniqueness; NULL: no login by it', 
    created_at DATETIME COMMENT 'Registered at, UTC; NULL: before this column existed', 
    disabled_at DATETIME COMMENT 'Shut out since, UTC; NULL: may log in', 
    CONSTRAINT pk_user PRIMARY KEY (id), 
    CONSTRAINT uq_user_username_key UNIQUE (username_key), 
    CONSTRAINT uq_user_email_key UNIQUE (email_key)
)CHARSET=utf8mb4 COMMENT='Accounts: one row for each person' COLLATE utf8mb4_bin;

INSERT INTO alembic_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

CREATE TABLE session (
    id INTEGER NOT NULL COMMENT 'Number of the login (claim sid)' AUTO_INCREMENT, 
    user_id INTEGER COMMENT 'Whose; NULL: the account is gone', 
    created_at DATETIME NOT NULL COMMENT 'Logged in at, UTC', 
    last_used_at DATETIME NOT NULL COMMENT 'Last login or refresh, UTC', 
    rotation INTEGER NOT NULL COMMENT 'Which refresh token is current, from 0', 
    rotated_at DATETIME NOT NULL COMMENT 'When the current refresh token was made, UTC', 
    expires_at DATETIME NOT NULL COMMENT 'When the current refresh token ends, UTC', 
    access_expires_at DATETIME NOT NULL COMMENT 'When the last access token made here ends, UTC', 
    revoked_at DATETIME COMMENT 'Ended at, UTC; NULL: alive. Set it to end the login', 
    address VARCHAR(45) NOT NULL COMMENT 'Client address at login', 
    user_agent VARCHAR(255) NOT NULL COMMENT 'Client program at login', 
    CONSTRAINT pk_session PRIMARY KEY (id), 
    CONSTRAINT fk_session_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE SET NULL
)CHARSET=utf8mb4 COMMENT='Logins: one row for each, ended by revoked_at' COLLATE utf8mb4_bin;

CREATE INDEX ix_session_user_id ON session (user_id);

CREATE INDEX ix_session_live ON session (access_expires_at, revoked_at, user_id);

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

CREATE TABLE identity (
    id INTEGER NOT NULL COMMENT 'Number of the connection' AUTO_INCREMENT, 
    user_id INTEGER NOT NULL COMMENT 'Whose account it opens', 
    provider VARCHAR(16) NOT NULL COMMENT 'google, facebook or oidc', 
    subject VARCHAR(255) NOT NULL COMMENT 'Who it is there: the provider''s own number, never the e-mail', 
    email VARCHAR(255) COMMENT 'E-mail as the provider last gave it, or NULL', 
    created_at DATETIME NOT NULL COMMENT 'Connected at, UTC', 
    CONSTRAINT pk_identity PRIMARY KEY (id), 
    CONSTRAINT uq_identity_subject UNIQUE (provider, subject), 
    CONSTRAINT fk_identity_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
)CHARSET=utf8mb4 COMMENT='Outside identities: one row for each, opening one account' COLLATE utf8mb4_bin;

CREATE INDEX ix_identity_user_id ON identity (user_id);

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

-- Running upgrade 0003 -> 0004

ALTER TABLE user ADD COLUMN email_verified_at DATETIME COMMENT 'E-mail proven to be the owner''s at, UTC; NULL: not proven';

UPDATE alembic_version SET version_num='0004' WHERE alembic_version.version_num = '0003';

-- Running upgrade 0004 -> 0005

CREATE TABLE social_code (
    code_hash VARCHAR(64) NOT NULL COMMENT 'SHA-256 of the code, which itself is not kept', 
    user_id INTEGER NOT NULL COMMENT 'Who signed in', 
    challenge VARCHAR(43) NOT NULL COMMENT 'S256 of the verifier that must come with the code (RFC 7636)', 
    expires_at DATETIME NOT NULL COMMENT 'Good until, UTC', 
    CONSTRAINT pk_social_code PRIMARY KEY (code_hash), 
    CONSTRAINT fk_social_code_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
)CHARSET=utf8mb4 COMMENT='One-time codes not exchanged yet' COLLATE utf8mb4_bin;

CREATE INDEX ix_social_code_user_id ON social_code (user_id);

UPDATE alembic_version SET version_num='0005' WHERE alembic_version.version_num = '0004';

-- Running upgrade 0005 -> 0006

CREATE TABLE counter (
    name VARCHAR(255) NOT NULL COMMENT 'Which limit, and whose address or account', 
    value INTEGER NOT NULL COMMENT 'How often since it began', 
    expires_at DATETIME NOT NULL COMMENT 'Begins anew after this, UTC', 
    CONSTRAINT pk_counter PRIMARY KEY (name)
)CHARSET=utf8mb4 COMMENT='Limits: how often an address or account did something' COLLATE utf8mb4_bin;

CREATE INDEX ix_counter_expires_at ON counter (expires_at);

UPDATE alembic_version SET version_num='0006' WHERE alembic_version.version_num = '0005';
