"""The password hashes that a login can check: those made here, and those of other programs.

Each is read from its text alone. `recognise` tells what a stored text is, `refusal` why a text
cannot be imported.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from dataclasses import dataclass

from app.extensions import bcrypt
from app.passwords.policy import MAX_BYTES

BCRYPT = "bcrypt"
# Django's BCryptSHA256PasswordHasher: bcrypt of the SHA-256 in hexadecimal digits.
BCRYPT_SHA256 = "bcrypt_sha256"
# Django's PBKDF2PasswordHasher.
PBKDF2_SHA256 = "pbkdf2_sha256"

# A login checks a hash at the cost that the hash names, so that a file must not choose it freely.
# Both take at most about four times as long as bcrypt of cost 12 (docs/import).
MAX_BCRYPT_COST = 14
MAX_ITERATIONS = 2_000_000

# Version, cost, 16 bytes of salt (the last of its 22 characters holds two bits), 23 of digest.
_BCRYPT = r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}"
# The salt is Django's, of letters and digits, or a longer one that somebody has set.
_PBKDF2 = r"([1-9][0-9]{0,9})\$([!-#%-~]{1,64})\$([A-Za-z0-9+/]{43}=)"
_SCHEMES = {
    BCRYPT: re.compile(_BCRYPT),
    BCRYPT_SHA256: re.compile(rf"bcrypt_sha256\${_BCRYPT}"),
    PBKDF2_SHA256: re.compile(rf"pbkdf2_sha256\${_PBKDF2}"),
}
# What other programs store, and a login here cannot check.
_FOREIGN = (
    ("$apr1$", "MD5 of Apache ($apr1$)"),
    ("{SHA}", "SHA-1 without a salt ({SHA})"),
    ("$1$", "MD5 of crypt(3) ($1$)"),
    ("$5$", "SHA-256 of crypt(3) ($5$)"),
    ("$6$", "SHA-512 of crypt(3) ($6$)"),
    ("$y$", "yescrypt ($y$)"),
    ("$2x$", "bcrypt of a faulty version ($2x$)"),
    ("$argon2", "Argon2"),
    ("argon2$", "Argon2"),
    ("scrypt$", "scrypt"),
    ("pbkdf2_sha1$", "PBKDF2 with SHA-1"),
    ("md5$", "MD5"),
)
_KNOWN = ("$2a$", "$2b$", "$2y$", f"{BCRYPT_SHA256}$", f"{PBKDF2_SHA256}$")


@dataclass(frozen=True, slots=True)
class StoredHash:
    """A hash that a login can check.

    Attributes:
        scheme: `BCRYPT`, `BCRYPT_SHA256` or `PBKDF2_SHA256`.
        cost: that of bcrypt, or the iterations of PBKDF2.
        text: as it is stored.

    """

    scheme: str
    cost: int
    text: str

    def takes(self, password: str) -> bool:
        """Tell whether the scheme reads the whole password: bcrypt has 72 bytes, and no NUL."""
        size = len(password.encode())
        return size > 0 and "\0" not in password and (self.scheme != BCRYPT or size <= MAX_BYTES)

    def matches(self, password: str) -> bool:
        """Tell whether this is the hash of a password that the scheme `takes`."""
        if self.scheme == PBKDF2_SHA256:
            _, iterations, salt, digest = self.text.split("$")
            made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), int(iterations))
            return hmac.compare_digest(b64encode(made).decode(), digest)
        if self.scheme == BCRYPT_SHA256:
            password = hashlib.sha256(password.encode()).hexdigest()
        return bool(bcrypt.check_password_hash(self.text.removeprefix("bcrypt_sha256$"), password))


def recognise(text: str) -> StoredHash | None:
    """What a stored text is; None: nothing that a login can check."""
    for scheme, form in _SCHEMES.items():
        whole = form.fullmatch(text)
        if whole:
            return StoredHash(scheme, int(whole[1]), text)
    return None


def refusal(text: str, rounds: int) -> str | None:
    """Say why a hash of another program cannot be imported, without any of it; None: it can.

    Args:
        text: the hash.
        rounds: the configured cost of bcrypt, which is never too high.

    """
    known = recognise(text)
    if known is None:
        return _unknown(text)
    most = MAX_ITERATIONS if known.scheme == PBKDF2_SHA256 else max(MAX_BCRYPT_COST, rounds)
    if known.cost > most:
        return f"the cost of its hash is {known.cost:,}, and {most:,} is the most"
    return None


def _unknown(text: str) -> str:
    for beginning, name in _FOREIGN:
        if text.startswith(beginning):
            return f"a login here cannot check {name}"
    if text.startswith(_KNOWN):
        return "the hash is damaged or cut off"
    return "that is no hash which a login here can check; a plain password is never imported"
