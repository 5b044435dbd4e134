"""What a workload was promised, compared with what the database holds when all is quiet."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tests.cluster import checker
from tests.cluster.client import Shared
from tests.cluster.cluster import MEMBERS, Cluster
from tests.cluster.history import Outcome
from tests.cluster.people import Person
from tests.cluster.workload import Workload, tried_everywhere
from tests.support.environment import wait_until

# What is written in one transaction is there as a whole or not at all: each query counts what
# lacks the rest. (That a password change ended the other sessions is in their histories.)
HALVES = {
    "a session without an account": """SELECT COUNT(*) FROM session s
        LEFT JOIN user u ON u.id = s.user_id WHERE u.id IS NULL""",
    "an account without its proof": """SELECT COUNT(*) FROM user u
        LEFT JOIN one_time o ON o.user_id = u.id AND o.purpose = 'email_verification'
        WHERE o.id IS NULL AND u.username LIKE '{mark}-%'""",
    "a mail without its proof": """SELECT COUNT(*) FROM outbox m
        LEFT JOIN one_time o ON o.id = m.proof_id WHERE o.id IS NULL""",
}
CHECKSUMS = "CHECKSUM TABLE user, session, one_time, identity, outbox, lease, counter"


@dataclass
class Findings:
    """What must not be: each list is empty if all promises were kept."""

    registrations: int = 0
    changes: int = 0
    lost_registrations: list[str] = field(default_factory=list)
    lost_changes: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)
    lineages: int = 0  # the most that a session had
    revoked_accepted: list[str] = field(default_factory=list)
    not_linearizable: list[str] = field(default_factory=list)
    members_differ: list[str] = field(default_factory=list)
    operations: int = 0


def verify(cluster: Cluster, workload: Workload) -> Findings:
    """Ask the primary, and every replica, after the workload has ended."""
    shared = workload.shared
    found = Findings()
    _look_at_names(cluster, shared, found)
    _look_at_sessions(cluster, shared, found)
    _try_passwords(shared, found)
    for what, query in HALVES.items():
        (count,) = cluster.sql(query.format(mark=shared.mark))
        if count != "0":
            found.half_written.append(f"{what}: {count}")
    found.revoked_accepted = workload.late_acceptances()
    found.revoked_accepted += [
        f"answered {status} when all was quiet"
        for status in tried_everywhere(shared)
        if status != 401
    ]
    found.not_linearizable = [str(each) for each in checker.violations(shared.history)]
    found.operations = sum(map(len, shared.history.by_key().values()))
    found.members_differ = differences(cluster)
    return found


def differences(cluster: Cluster, seconds: float = 20) -> list[str]:
    """What the members do not have alike, once each has applied what the primary committed."""
    (gtids,) = cluster.as_root_on(cluster.primary(), "SELECT @@GLOBAL.gtid_executed") or [""]
    gtids = gtids.replace("\\n", "")
    has_all = f"SELECT GTID_SUBSET('{gtids}', @@GLOBAL.gtid_executed)"
    wait_until(
        lambda: all(cluster.as_root_on(member, has_all) == ["1"] for member in MEMBERS),
        "every member to have all",
    )

    def same() -> bool:
        # Housekeeping and clients that come late write between two answers.
        sums.clear()
        sums.update({member: cluster.sql_on(member, CHECKSUMS) for member in MEMBERS})
        return len({tuple(each) for each in sums.values()}) == 1

    sums: dict[str, list[str]] = {}
    try:
        wait_until(same, "members that are alike", seconds)
    except AssertionError:
        return [f"{member}: {each}" for member, each in sums.items()]
    return []


def _look_at_names(cluster: Cluster, shared: Shared, found: Findings) -> None:
    query = f"SELECT username, email FROM user WHERE username LIKE '{shared.mark}-%'"
    rows = dict(row.split("\t") for row in cluster.sql(query))
    for key, operations in shared.history.by_key().items():
        kind, _, name = key.partition("/")
        if kind != "name":
            continue
        acknowledged = [
            each.arguments[0]
            for each in operations
            if each.action == "register" and each.outcome is Outcome.OK
        ]
        found.registrations += len(acknowledged)
        found.lost_registrations += [
            f"{name} ({email})" for email in acknowledged if rows.get(name) != email
        ]
        shared.history.look(key, rows.get(name))


def _look_at_sessions(cluster: Cluster, shared: Shared, found: Findings) -> None:
    rows = {}
    for row in cluster.sql("SELECT id, rotation, revoked_at IS NULL FROM session"):
        number, rotation, living = row.split("\t")
        rows[f"session/{number}"] = (int(rotation), living == "1")
    for key, operations in shared.history.by_key().items():
        if not key.startswith("session/"):
            continue
        successors = defaultdict(set)
        for each in operations:
            if each.action == "refresh" and each.outcome is Outcome.OK:
                successors[each.arguments[0]].add(each.result)
        found.lineages = max([found.lineages, 1, *map(len, successors.values())])
        shared.history.look(key, rows.get(key))


def _try_passwords(shared: Shared, found: Findings) -> None:
    """Log in with the last acknowledged password; the one before must be refused."""
    by_key = shared.history.by_key()
    shared.ending.clear()  # so that a client may ask once more
    person = Person(shared, "afterwards")
    for name, (now, before) in shared.passwords.items():
        changes = [o for o in by_key[f"password/{name}"] if o.action == "change"]
        found.changes += sum(o.outcome is Outcome.OK for o in changes)
        either = frozenset({200, 401})
        is_open = bool(changes) and changes[-1].outcome is Outcome.UNKNOWN
        if person.log_in(name, now, good=either) is None and not is_open:
            found.lost_changes.append(name)
        person.log_in(name, before, good=either)
    person.close()
