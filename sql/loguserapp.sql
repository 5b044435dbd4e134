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

-- Running upgrade 0006 -> 0007

ALTER TABLE user ADD COLUMN auth_epoch INTEGER NOT NULL COMMENT 'Raised by every change of password, e-mail or login method' DEFAULT 0;

UPDATE alembic_version SET version_num='0007' WHERE alembic_version.version_num = '0006';

-- Running upgrade 0007 -> 0008

ALTER TABLE user ADD COLUMN first_visit_until DATETIME COMMENT 'Until then username and missing e-mail may be chosen once, UTC; NULL: chosen';

UPDATE alembic_version SET version_num='0008' WHERE alembic_version.version_num = '0007';

-- Running upgrade 0008 -> 0009

ALTER TABLE session ADD COLUMN network VARCHAR(45) NOT NULL COMMENT 'Client network at login: the IPv4 address or the IPv6 /64' DEFAULT '';

ALTER TABLE session ADD COLUMN last_address VARCHAR(45) NOT NULL COMMENT 'Client address of the last login or rotation' DEFAULT '';

ALTER TABLE session ADD COLUMN methods VARCHAR(64) NOT NULL COMMENT 'How the person logged in: pwd (password), fed (external identity)' DEFAULT '';

ALTER TABLE session ADD COLUMN identity_id INTEGER COMMENT 'External identity that opened it; NULL: a password';

ALTER TABLE session ADD COLUMN proven_at DATETIME COMMENT 'When the person last proved to be the owner in this session, UTC';

CREATE INDEX ix_session_owner ON session (user_id, revoked_at);

DROP INDEX ix_session_user_id ON session;

UPDATE session SET network = address, last_address = address WHERE last_address = '';

UPDATE session SET revoked_at = CURRENT_TIMESTAMP WHERE revoked_at IS NULL AND user_id IN (SELECT id FROM user WHERE disabled_at IS NOT NULL);

UPDATE alembic_version SET version_num='0009' WHERE alembic_version.version_num = '0008';

-- Running upgrade 0009 -> 0010

ALTER TABLE identity ADD COLUMN issuer VARCHAR(255) NOT NULL COMMENT 'Who vouches for the person: the provider''s issuer (OpenID Connect)' DEFAULT '';

UPDATE identity SET issuer = 'urn:loguserapp:demo' WHERE issuer = '' AND provider = 'oidc' AND subject IN ('demo-sari', 'demo-budi', 'demo-ayu');

UPDATE identity SET issuer = 'https://accounts.google.com' WHERE issuer = '' AND provider = 'google';

UPDATE identity SET issuer = 'https://www.facebook.com' WHERE issuer = '' AND provider = 'facebook';

UPDATE identity SET issuer = 'urn:loguserapp:unconfigured' WHERE issuer = '' AND provider = 'oidc';

ALTER TABLE identity ADD CONSTRAINT uq_identity_issuer UNIQUE (issuer, subject);

ALTER TABLE identity DROP INDEX uq_identity_subject;

UPDATE alembic_version SET version_num='0010' WHERE alembic_version.version_num = '0009';

-- Running upgrade 0010 -> 0011

CREATE TABLE one_time (
    id INTEGER NOT NULL COMMENT 'Number of the secret' AUTO_INCREMENT, 
    purpose VARCHAR(32) NOT NULL COMMENT 'What the secret is good for', 
    secret_hash VARCHAR(64) NOT NULL COMMENT 'HMAC-SHA-256 of the secret, which itself is not kept', 
    user_id INTEGER COMMENT 'Account that it is for', 
    subject VARCHAR(255) NOT NULL COMMENT 'The exact e-mail or credential that it is about' DEFAULT '', 
    epoch INTEGER COMMENT 'user.auth_epoch at its making: good for no other; NULL: for any', 
    challenge VARCHAR(43) COMMENT 'S256 of the verifier that must come with it (RFC 7636), or NULL', 
    created_at DATETIME NOT NULL COMMENT 'Made at, UTC', 
    expires_at DATETIME NOT NULL COMMENT 'Good until, UTC', 
    CONSTRAINT pk_one_time PRIMARY KEY (id), 
    CONSTRAINT uq_one_time_secret_hash UNIQUE (secret_hash), 
    CONSTRAINT fk_one_time_user_id FOREIGN KEY(user_id) REFERENCES user (id) ON DELETE CASCADE
)CHARSET=utf8mb4 COMMENT='Secrets that count once: codes, later mailed proofs and second steps' COLLATE utf8mb4_bin;

CREATE INDEX ix_one_time_user_id ON one_time (user_id);

CREATE INDEX ix_one_time_expires_at ON one_time (expires_at);

DROP TABLE social_code;

UPDATE alembic_version SET version_num='0011' WHERE alembic_version.version_num = '0010';

-- Running upgrade 0011 -> 0012

CREATE TABLE lease (
    name VARCHAR(32) NOT NULL COMMENT 'The job', 
    holder VARCHAR(64) NOT NULL COMMENT 'The process that does it', 
    expires_at DATETIME NOT NULL COMMENT 'Held until, UTC', 
    CONSTRAINT pk_lease PRIMARY KEY (name)
)CHARSET=utf8mb4 COMMENT='Jobs that one process at a time does, such as deleting expired rows' COLLATE utf8mb4_bin;

UPDATE alembic_version SET version_num='0012' WHERE alembic_version.version_num = '0011';

-- Running upgrade 0012 -> 0013

ALTER TABLE user ADD COLUMN language VARCHAR(8) COMMENT 'Language of pages and mails, such as id; NULL: as the browser asks';

UPDATE alembic_version SET version_num='0013' WHERE alembic_version.version_num = '0012';

-- Running upgrade 0013 -> 0014

ALTER TABLE one_time ADD COLUMN salt VARCHAR(43) COMMENT 'What link and code of a mail are derived from; NULL: not mailed';

ALTER TABLE one_time ADD COLUMN subject_key VARCHAR(255) COMMENT 'E-mail that it is about, without regard to case; NULL: none';

ALTER TABLE one_time ADD COLUMN tries INTEGER NOT NULL COMMENT 'How often its code was tried' DEFAULT 0;

ALTER TABLE one_time ADD COLUMN address VARCHAR(45) NOT NULL COMMENT 'Client address that asked for it' DEFAULT '';

ALTER TABLE one_time ADD COLUMN user_agent VARCHAR(255) NOT NULL COMMENT 'Client program that asked for it' DEFAULT '';

CREATE INDEX ix_one_time_subject_key ON one_time (subject_key, purpose);

UPDATE alembic_version SET version_num='0014' WHERE alembic_version.version_num = '0013';

-- Running upgrade 0014 -> 0015

CREATE TABLE outbox (
    id INTEGER NOT NULL COMMENT 'Number of the mail' AUTO_INCREMENT, 
    kind VARCHAR(32) NOT NULL COMMENT 'Which mail it is', 
    proof_id INTEGER NOT NULL COMMENT 'Proof that it carries, which names account and address', 
    detail VARCHAR(80) NOT NULL COMMENT 'What the mail is about, such as the name of a provider' DEFAULT '', 
    language VARCHAR(8) COMMENT 'Language of the request that caused it, or NULL', 
    created_at DATETIME NOT NULL COMMENT 'Asked for at, UTC', 
    due_at DATETIME NOT NULL COMMENT 'To be sent from then on, UTC', 
    claimed_until DATETIME COMMENT 'A process is sending it, at most until then, UTC; NULL: none is', 
    tries INTEGER NOT NULL COMMENT 'How often sending it has failed' DEFAULT 0, 
    error VARCHAR(80) NOT NULL COMMENT 'Why the last try failed' DEFAULT '', 
    CONSTRAINT pk_outbox PRIMARY KEY (id), 
    CONSTRAINT fk_outbox_proof_id FOREIGN KEY(proof_id) REFERENCES one_time (id) ON DELETE CASCADE
)CHARSET=utf8mb4 COMMENT='Mails that wait to be sent; a sent one is deleted' COLLATE utf8mb4_bin;

CREATE INDEX ix_outbox_proof_id ON outbox (proof_id);

CREATE INDEX ix_outbox_due_at ON outbox (due_at);

UPDATE alembic_version SET version_num='0015' WHERE alembic_version.version_num = '0014';

-- Running upgrade 0015 -> 0016

ALTER TABLE user ADD COLUMN pending_email VARCHAR(120) COMMENT 'E-mail that counts once it is proven, or NULL';

ALTER TABLE user ADD COLUMN must_verify_email BOOL NOT NULL COMMENT 'Made under EMAIL_VERIFICATION=required: no login by password before the proof' DEFAULT 0;

UPDATE alembic_version SET version_num='0016' WHERE alembic_version.version_num = '0015';
