"""Makes every secret of the cluster, once: the step `secrets` of deploy/cluster/compose.yml.

Those of the single stack, and what the members, the steward and the role check need besides.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from deploy.cluster.members import NAMES
from deploy.make_secrets import SECRETS, USERS_SQL, check_volumes, give, made, make_secrets

DATABASES = [Path("/var/lib") / member / "data" for member in NAMES]
CLUSTER_SQL = Path(__file__).with_name("users.sql")
# By folder of secrets: who reads it, and the users of MySQL whose passwords are in it.
READERS = {"roles": (10005, ["roles"]), "steward": (10006, ["steward", "replication"])}


def main() -> None:
    """Make what is missing, and say what that means for the cluster."""
    check_volumes(DATABASES)
    made("replication", secrets.token_hex(16).encode)  # MySQL takes 32 characters here, no more
    # Each member sets its users itself: in the binary log they would differ from member to member.
    users_sql = "SET sql_log_bin = 0;\n" + "".join(
        path.read_text(encoding="utf-8") for path in (USERS_SQL, CLUSTER_SQL)
    )
    users = ["root", "workbench", *(user for _, names in READERS.values() for user in names)]
    passwords = make_secrets(users_sql, users, ["mysql", *NAMES])
    ca = (SECRETS / "mysql" / "ca.pem").read_bytes()
    for folder, (reader, names) in READERS.items():
        give(reader, f"{folder}/ca.pem", ca)
        for user in names:
            give(reader, f"{folder}/{user}", passwords[user].encode())


if __name__ == "__main__":
    main()
