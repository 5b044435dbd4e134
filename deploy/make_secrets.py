"""Makes every secret of the stack, once: the step `secrets` of docker-compose.yml.

A secret that is there already stays. The files that MySQL and the services read are derived from
the secrets each time, so that a newer version may want them otherwise. Each folder belongs to the
one user who may read it.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.secret_files import read_or_create, replace

SECRETS = Path("/secrets")
DATABASE = Path("/var/lib/mysql/data")
KEYRING = Path("/instance/keyring.json")
USERS_SQL = Path(__file__).with_name("mysql") / "users.sql"
# Users inside the containers: the image's mysql, and those of docker-compose.yml.
MYSQL = 999
# By folder of secrets: who reads it, as which user of MySQL, in which database.
SERVICES = {
    "web": (10001, "loguserapp", "loguserapp"),
    "migrate": (10002, "migrate", "loguserapp"),
    "perpustakaan": (10003, "perpustakaan", "perpustakaan"),
    "perpustakaan-migrate": (10004, "perpustakaan_migrate", "perpustakaan"),
}
_AUTHORITY = "loguserapp database CA"
_LOOPBACK = ipaddress.ip_address("127.0.0.1")
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def main() -> None:
    """Make what is missing, and say what that means for the stack."""
    check_volumes([DATABASE])
    make_secrets(USERS_SQL.read_text(encoding="utf-8"), ["root", "workbench"], ["mysql"])


def check_volumes(databases: Sequence[Path]) -> None:
    """Say which volume is missing, and exit where going on would lose data.

    Args:
        databases: where each MySQL keeps its data; one is enough to go on from.

    """
    has_database = any(path.exists() for path in databases)
    if KEYRING.exists() and not has_database:
        sys.exit(
            "loguserapp: the volume of the database is missing, though this stack had one. Bring "
            "it back; or begin anew with `docker compose down -v`, and then restore a backup"
        )
    if has_database and not (SECRETS / "made").exists():
        _say("the volume of the secrets was missing: new passwords are made, which MySQL takes")
    if has_database and not KEYRING.exists():
        _say("the volume of the signing keys is empty: new ones are made, which ends every login")


def make_secrets(users_sql: str, users: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Make what is missing, and hand each reader what it reads.

    Args:
        users_sql: the statements that set MySQL's users, with `$user` for each password.
        users: MySQL's users besides those of the services.
        names: the host names in MySQL's certificate, if it is made now.

    Returns:
        The password of each user.

    """
    everyone = [*users, *(user for _, user, _ in SERVICES.values())]
    passwords = {user: made(user, secrets.token_hex(32).encode).decode() for user in everyone}
    server = made("mysql.pem", lambda: _certificates(names))
    ca = server[server.rindex(b"-----BEGIN CERTIFICATE") :]

    owner = f"[client]\nuser=migrate\npassword={passwords['migrate']}\n"
    give(MYSQL, "mysql/users.sql", Template(users_sql).substitute(passwords).encode())
    give(MYSQL, "mysql/owner.cnf", owner.encode())
    give(MYSQL, "mysql/workbench", f"{passwords['workbench']}\n".encode())
    give(MYSQL, "mysql/server.pem", server)
    give(MYSQL, "mysql/ca.pem", ca)
    for folder, (reader, user, database) in SERVICES.items():
        # With the CA named, the driver refuses a server that cannot prove to be `mysql`.
        url = f"mysql://{user}:{passwords[user]}@mysql/{database}?ssl_ca=/run/secrets/ca.pem"
        give(reader, f"{folder}/database_url", url.encode())
        give(reader, f"{folder}/ca.pem", ca)
    cookies = made("perpustakaan_cookies", secrets.token_hex(32).encode)
    for folder in ("perpustakaan", "perpustakaan-migrate"):
        give(SERVICES[folder][0], f"{folder}/secret_key", cookies)
    return passwords


def _say(text: str) -> None:
    print(f"loguserapp: {text}", file=sys.stderr)  # noqa: T201


def made(name: str, make: Callable[[], bytes]) -> bytes:
    """Return the secret of this name, made now if there is none."""
    return read_or_create(SECRETS / "made" / name, make)


def give(reader: int, name: str, content: bytes) -> None:
    """Write a file of the secrets, in a folder that its reader alone can open."""
    path = SECRETS / name
    if not path.exists() or path.read_bytes() != content:
        replace(path, content)
    os.chown(path.parent, reader, reader)
    os.chown(path, reader, reader)


def _certificates(hosts: Sequence[str]) -> bytes:
    """MySQL's key and certificate, and that of an authority whose own key is not kept."""
    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id)
    names = [x509.DNSName(host) for host in (*hosts, "localhost")]
    alternatives = x509.SubjectAlternativeName([*names, x509.IPAddress(_LOOPBACK)])
    certificate = (
        _certificate(hosts[0], server)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(issuer, critical=False)
    )
    root = (
        _certificate(_AUTHORITY, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(authority_id, critical=False)
    )
    key = server.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    signed = [unsigned.sign(authority, hashes.SHA256()) for unsigned in (certificate, root)]
    return key + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in signed)


def _certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _AUTHORITY)]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=365 * 30),
    )


if __name__ == "__main__":
    main()
