"""Makes the group and lets members in: the service `steward` of the cluster.

A member that is outside while there is a group joins it. A group is only ever made here, and only
when every member answers and says that it is outside: then no other group exists, and none can
come into being meanwhile. It begins with the member that has every transaction of the others.

    python -m deploy.cluster.steward                            the loop
    python -m deploy.cluster.steward status                     what each member says
    python -m deploy.cluster.steward primary NAME               hand the role over
    python -m deploy.cluster.steward bootstrap --without NAME   a group without a lost member
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pymysql

from deploy.cluster.members import NAMES, PEERS_SQL, Peer, connect, is_online, say

_INTERVAL = 1.0
_TIMEOUT = 3.0  # of one answer
_PAUSE = 2.0  # after a join that failed
_APART = 3.0  # between two joins: at once they are in each other's way, and one waits for longer
_REPLICATION_PASSWORD = Path("/run/secrets/replication")
_ALIVE = Path("/tmp/alive")  # noqa: S108 - for the health check of the container
_OUTSIDE = ("OFFLINE", "ERROR")
# What it has done, and what it has received and not done yet: after a crash it still will.
_TRANSACTIONS_SQL = """SELECT CONCAT_WS(',', NULLIF(@@GLOBAL.gtid_executed, ''),
    (SELECT NULLIF(RECEIVED_TRANSACTION_SET, '')
     FROM performance_schema.replication_connection_status
     WHERE CHANNEL_NAME = 'group_replication_applier'))"""


@dataclass(frozen=True)
class Member:
    """What one member says of itself."""

    state: str
    is_online: bool  # part of a group with a majority
    transactions: str  # a GTID set


@dataclass(frozen=True)
class Decision:
    """What is to be done now, and why nothing can be."""

    join: tuple[str, ...] = ()
    bootstrap: str | None = None
    problem: str | None = None


def decide(members: Mapping[str, Member | None], is_subset: Callable[[str, str], bool]) -> Decision:
    """Decide from what every member said in one round.

    Args:
        members: by name; None for one that does not answer.
        is_subset: whether the first GTID set is contained in the second.

    """
    answers = {name: member for name, member in members.items() if member}
    if any(member.is_online for member in answers.values()):
        outside = [name for name, member in answers.items() if member.state in _OUTSIDE]
        return Decision(join=tuple(outside))
    silent = [name for name in members if name not in answers]
    if silent:
        return Decision(problem=f"no group, and no answer from {', '.join(silent)}: waiting")
    inside = [name for name, member in answers.items() if member.state not in _OUTSIDE]
    if inside:
        return Decision(problem=f"{', '.join(inside)} in a group without a majority: waiting")
    # One in the state ERROR comes last: it needs up to half a minute to leave what it was in.
    order = sorted(answers, key=lambda name: (answers[name].state == "ERROR", name))
    first = most_advanced({name: answers[name].transactions for name in order}, is_subset)
    if first is None:
        sets = "; ".join(f"{name}: {member.transactions}" for name, member in answers.items())
        return Decision(problem=f"no group is made, each member lacks transactions: {sets}")
    return Decision(bootstrap=first)


def most_advanced(
    transactions: Mapping[str, str], is_subset: Callable[[str, str], bool]
) -> str | None:
    """Return the first member that has all that the others have; None if there is none."""
    for name in transactions:
        if all(is_subset(each, transactions[name]) for each in transactions.values()):
            return name
    return None


def main() -> None:
    """Run the loop, or one command of the operator."""
    parser = argparse.ArgumentParser(prog="steward")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("status", help="what each member says")
    handed = commands.add_parser("primary", help="make another member the primary")
    handed.add_argument("name", choices=NAMES)
    forced = commands.add_parser("bootstrap", help="make a group without members that are lost")
    forced.add_argument("--without", action="append", required=True, choices=NAMES)
    given = parser.parse_args()
    if given.command == "status":
        _print_status()
    elif given.command == "primary":
        _hand_over(given.name)
    elif given.command == "bootstrap":
        _bootstrap_without(given.without)
    else:
        with suppress(KeyboardInterrupt):
            Steward().run()


class Steward:
    """The loop."""

    def __init__(self) -> None:
        self._joining: dict[str, threading.Thread] = {}
        self._last_join = -_APART
        self._said: dict[str, str] = {}

    def run(self) -> None:
        """Look at the members, act, and so on."""
        while True:
            _ALIVE.touch()
            members = _ask(NAMES)
            try:
                decision = decide(members, _is_subset(members))
            except (pymysql.Error, OSError):
                continue  # the one that compares has just gone
            for name in decision.join:
                self._join(name, members[name])
            if decision.bootstrap:
                self._bootstrap(decision.bootstrap)
            self._say("group", decision.problem or "")
            for name, member in members.items():
                self._say(name, f"{name} is {member.state if member else 'away'}")
            time.sleep(_INTERVAL)

    def _say(self, subject: str, text: str) -> None:
        """Log what is new."""
        if self._said.get(subject, "") != text:
            self._said[subject] = text
            if text:
                say(text)

    def _join(self, name: str, member: Member | None) -> None:
        others = [thread for thread in self._joining.values() if thread.is_alive()]
        running = self._joining.get(name)
        if running in others or (others and time.monotonic() < self._last_join + _APART):
            return
        self._last_join = time.monotonic()
        self._joining[name] = threading.Thread(
            target=self._try_to_join, args=(name, member), daemon=True
        )
        self._joining[name].start()

    def _try_to_join(self, name: str, member: Member | None) -> None:
        begun = time.monotonic()
        try:
            _start(name, stop=member is not None and member.state == "ERROR")
        except (pymysql.Error, OSError) as error:
            self._say(f"join {name}", f"{name} could not join: {_reason(error)}")
            time.sleep(_PAUSE)
        else:
            self._said.pop(f"join {name}", None)
            say(f"{name} has joined the group ({time.monotonic() - begun:.1f} s)")

    def _bootstrap(self, name: str) -> None:
        try:
            _start(name, stop=True, bootstrap=True)
        except (pymysql.Error, OSError) as error:
            self._say("bootstrap", f"{name} could not begin the group: {_reason(error)}")
        else:
            self._said.pop("bootstrap", None)
            say(f"{name} has begun the group: it has every transaction of the others")


def _ask(names: Collection[str]) -> dict[str, Member | None]:
    """Ask all at once."""
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(_ask_one, names), strict=True))


def _ask_one(name: str) -> Member | None:
    try:
        with connect(name, "steward", _TIMEOUT) as connection, connection.cursor() as cursor:
            cursor.execute(PEERS_SQL)
            peers = [Peer(*row) for row in cursor.fetchall()]
            cursor.execute(_TRANSACTIONS_SQL)
            ((transactions,),) = cursor.fetchall()
    except (pymysql.Error, OSError):
        return None
    own = next((peer.state for peer in peers if peer.name == name), "OFFLINE")
    return Member(own, is_online(name, peers), transactions.replace("\n", ""))


def _is_subset(members: Mapping[str, Member | None]) -> Callable[[str, str], bool]:
    """MySQL's own comparison, by any member that answers."""

    def compare(one: str, other: str) -> bool:
        name = next(name for name, member in members.items() if member)
        with connect(name, "steward", _TIMEOUT) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT GTID_SUBSET(%s, %s)", (one, other))
            ((result,),) = cursor.fetchall()
        return bool(result)

    return compare


def _start(name: str, *, stop: bool, bootstrap: bool = False) -> None:
    """START GROUP_REPLICATION, which returns when the member is in the group or has given up."""
    with connect(name, "steward", None) as connection, connection.cursor() as cursor:
        if stop:
            cursor.execute("STOP GROUP_REPLICATION")
        cursor.execute("SET GLOBAL group_replication_bootstrap_group = %s", (int(bootstrap),))
        try:
            password = _REPLICATION_PASSWORD.read_text(encoding="utf-8")
            cursor.execute(
                "START GROUP_REPLICATION USER = %s, PASSWORD = %s", ("replication", password)
            )
        finally:
            if bootstrap:
                cursor.execute("SET GLOBAL group_replication_bootstrap_group = 0")


def _reason(error: Exception) -> str:
    return str(error.args[-1] if error.args else error)


def _print_status() -> None:
    for name, member in _ask(NAMES).items():
        state = member.state if member else "no answer"
        print(f"{name}  {state}  {member.transactions if member else ''}".rstrip())  # noqa: T201


def _hand_over(name: str) -> None:
    try:
        with connect(name, "steward", None) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT group_replication_set_as_primary(@@server_uuid)")
            ((answer,),) = cursor.fetchall()
    except (pymysql.Error, OSError) as error:
        sys.exit(f"loguserapp: {name} did not become the primary: {_reason(error)}")
    say(f"{name}: {answer}")


def _bootstrap_without(lost: Collection[str]) -> None:
    members = _ask(NAMES)
    answering = [name for name in lost if members[name]]
    if answering:
        sys.exit(f"loguserapp: {', '.join(answering)} answers: stop it first, or leave it in")
    rest = {name: member for name, member in members.items() if name not in lost}
    decision = decide(rest, _is_subset(rest))
    if decision.bootstrap is None:
        sys.exit(f"loguserapp: {decision.problem or 'there is a group already'}")
    _start(decision.bootstrap, stop=True, bootstrap=True)
    say(f"{decision.bootstrap} has begun a group without {', '.join(lost)}")


if __name__ == "__main__":
    main()
