"""Hashes that other programs have made, fixed, with the program of each.

`imported_hashes.csv` has ten people of each program: `password_hash` of PHP 8.4.27, as Laravel
calls it, `htpasswd -nbB` of apache2-utils 2.4.69, Django 5.2.19 (its PBKDF2, bcrypt and
bcrypt_sha256 hashers) and Flask-Bcrypt as the assignment used it. So were the constants made. Most
costs are low, so that tests are quick; the tenth of Laravel, PBKDF2 and the assignment has the
default.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "kucing oren di pasar"
LONG = "kucing oren " * 7  # 84 bytes
DECOMPOSED = "kopi susu cafe\u0301 bandung"

PHP_10 = "$2y$10$XubcZ86PZiv0j8W2OBKBke8LU.3JXWNNSKIo8VrpqbItwg8a55OEu"
PHP_12 = "$2y$12$.DmSEIJ724zi0Y9ZLJ0EL.0RtPl4Jb.OxdcQahVtHtBTq4heR40zC"
PHP_13 = "$2y$13$pGXcpoPmSFF3eI0HYU6fYeH21cIOiySQLY3hayE7ujHl7qh1bzNJ2"
PHP_LONG = "$2y$10$N4YEMkNZ7p/hwAxjZVZfpem7cB3Db3Svl7RRPONxPigcFuPFhplhi"
PHP_DECOMPOSED = "$2y$10$WQ.CCBmw41nzboJCOPDZr./2cB6qWuHS.UP.l7XVrwwctNQHUV7UG"
HTPASSWD_5 = "$2y$05$BAb01FW0qFy6ZXlC96OxSOvVqhrOaBHHs0p0hK7yCIgbP7Gh1XfdK"
PBKDF2_SALTED = "pbkdf2_sha256$20000$NaCl2015garam$8oRIBpmXc8UrwgJ8h7+hL5wHeC6NE+5kr488I3/C6TI="
PBKDF2_260000 = (
    "pbkdf2_sha256$260000$NYRsob0j6NdUGQAcqfjiRJ$a4WNNIU52ZCqVJpU9APtp5kC/MOC1pNdRPu+yxreOiM="
)
PBKDF2_1000000 = (
    "pbkdf2_sha256$1000000$Sa0W9JN4XvDv5RXrhnYy30$zBrDt19o+OlGWXRD5ny9IfWHyMoxdUqWQjcQLC97rxw="
)
PBKDF2_LONG = (
    "pbkdf2_sha256$20000$dpV5RXdYMjAxhxfz3C2g14$iowsA7Egyi9966x8b2ve84nmMTU4LPp3liBKEWjzjak="
)
PBKDF2_DECOMPOSED = (
    "pbkdf2_sha256$20000$TzqDGaJ2K4Bb4OgJT2WCCN$NxZAO7JRErO5j4C2YEcYhye/Y0LBvh1TpjpWBJ6QTqo="
)
DJANGO_BCRYPT = "bcrypt$$2b$10$h2Wjaqe9f8B1nipas4NBaO/yuq0p1lURgZT94KJQryhMolR55cqlC"
BCRYPT_SHA256 = "bcrypt_sha256$$2b$10$g4.JeHkfcyXjSR.ydG07LO76dq.uwVBH5wISuITW137RwjsZob3/e"
BCRYPT_SHA256_LONG = "bcrypt_sha256$$2b$10$Olb15z/UuiQ4XjqVVYcY7OqDLbveHs8ElcVk3vmejuAxJkXS4duGu"

# What no login here can check, and a part of what the import says of it.
FOREIGN = {
    "$apr1$w0QutiMn$oCukfaut3G1Ni01Z93Lyg1": "MD5 of Apache",
    "{SHA}9vE8tLVS00ZEqp7xGgezDjUWjGU=": "SHA-1 without a salt",
    "AkyXFD5d9jIQk": "no hash",
    "$5$5oyD/C16AWUrz1Hu$/tf74WdrXqkgwShlhScEF/.7yAxewvVZD923GyJFngA": "SHA-256 of crypt",
    "$6$zUj9CuDnrpxs12ml$LW3QeNU3PhVwjngSQCDnDgG11/fv90frTeblzKGf4RczUKXiIeNb41IZOFORvpJYZga6"
    "/hVgUQGCOKpbygoLm1": "SHA-512 of crypt",
    "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0": "MD5 of crypt",
    "$y$j9T$salt$hash": "yescrypt",
    "scrypt$16384$2PQi7GBLbmLpQbsTi14zBL$8$5$CZPH+uf+zyF/4QDkEoLR7obxR3hil5lXvk22bRtuu0RbHL//"
    "ztUIvlBR5F+gISPzWH+AKXpO88MAyU0G+6zddg==": "scrypt",
    "md5$nvJjgp42O8cxXqKN8poYF3$58c5ac56c60898d4c84f47af3664551c": "MD5",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA": "Argon2",
    "$argon2id$v=19$m=65536,t=4,p=1$c2FsdA$aGFzaA": "Argon2",
    "pbkdf2_sha1$870000$abc$def=": "PBKDF2 with SHA-1",
    PHP_10.replace("$2y$", "$2x$"): "bcrypt of a faulty version",
    PASSWORD: "a plain password is never imported",
    "58c5ac56c60898d4c84f47af3664551c": "a plain password is never imported",
    PHP_10[:-1]: "damaged or cut off",
    f"{PHP_10}x": "damaged or cut off",
    PBKDF2_SALTED[:-1]: "damaged or cut off",
    PBKDF2_SALTED.replace("$20000$", "$0$"): "damaged or cut off",
    PBKDF2_SALTED.replace("garam", "garam" * 20): "damaged or cut off",
    BCRYPT_SHA256.replace("$$", "$"): "damaged or cut off",
}


@dataclass(frozen=True)
class Person:
    """Somebody with an account of another program."""

    program: str
    password: str
    hash: str


def people() -> list[Person]:
    """Ten of each program."""
    with Path(__file__).with_name("imported_hashes.csv").open(newline="") as file:
        return [Person(*row) for row in list(csv.reader(file))[1:]]
