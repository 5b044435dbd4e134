"""Which member may be written to, and which one is read while there is none."""

from __future__ import annotations

import re

from deploy.cluster.members import NAMES, Peer
from deploy.cluster.roles import View, primary_of, reader_of
from tests.support.environment import ROOT


def view(
    member: str,
    states: str,
    *,
    primary: str | None = None,
    number: int = 1,
    read_only: bool | None = None,
    was_online: bool = True,
) -> View:
    """What a member says, with the states as "1:ONLINE 2:UNREACHABLE"."""
    peers = tuple(
        Peer(f"mysql-{n}", state, "PRIMARY" if f"mysql-{n}" == primary else "SECONDARY")
        for n, state in (each.split(":") for each in states.split())
    )
    writable = member == primary if read_only is None else not read_only
    return View(member, not writable, (1, number), peers, was_online)


THREE = "1:ONLINE 2:ONLINE 3:ONLINE"


def test_the_primary_is_the_one_who_says_so() -> None:
    views = [view(name, THREE, primary="mysql-2") for name in NAMES]
    assert (primary_of(views), reader_of(views)) == ("mysql-2", None)
    assert primary_of(views[1:2]) == "mysql-2"  # the others do not answer, but it sees them
    assert primary_of([views[0], views[2]]) is None  # it does not answer


def test_a_primary_that_is_still_read_only_is_none_yet() -> None:
    elected = view("mysql-1", THREE, primary="mysql-1", read_only=True)
    assert (primary_of([elected]), reader_of([elected])) == (None, "mysql-1")


def test_a_primary_without_a_majority_is_none_and_is_not_read() -> None:
    """It is writable until it gives up, and what is written there waits."""
    cut_off = view("mysql-1", "1:ONLINE 2:UNREACHABLE 3:UNREACHABLE", primary="mysql-1")
    assert (primary_of([cut_off]), reader_of([cut_off])) == (None, None)


def test_the_last_one_of_a_group_that_the_others_left_is_the_primary() -> None:
    assert primary_of([view("mysql-3", "3:ONLINE", primary="mysql-3")]) == "mysql-3"


def test_a_primary_that_was_replaced_while_it_was_suspended_is_none() -> None:
    before = view("mysql-1", THREE, primary="mysql-1", number=3)
    two = "2:ONLINE 3:ONLINE"
    after = view("mysql-2", two, primary="mysql-2", number=4)
    witness = view("mysql-3", two, primary="mysql-2", number=4)
    assert primary_of([before, after, witness]) == "mysql-2"
    assert primary_of([before, witness]) is None
    assert primary_of([before, view("mysql-3", THREE, primary="mysql-1", number=4)]) == "mysql-1"


def test_reads_go_to_the_one_that_lacks_least() -> None:
    left = view("mysql-1", "1:ERROR")
    gone = view("mysql-2", "2:OFFLINE")
    inside = view("mysql-3", "3:ONLINE 2:UNREACHABLE")
    assert reader_of([left, gone, inside]) == "mysql-3"
    assert reader_of([left, gone]) == "mysql-1"
    assert reader_of([gone]) == "mysql-2"


def test_a_member_that_has_only_started_is_not_read() -> None:
    """Its volume may be empty: everybody would be told that their account is unknown."""
    assert reader_of([view("mysql-1", "1:OFFLINE", was_online=False)]) is None


def test_haproxy_has_the_same_members() -> None:
    written = (ROOT / "deploy" / "cluster" / "haproxy.cfg").read_text(encoding="utf-8")
    for kind, count in ((r"mysql-\d:3306 track primary", 3), (r"mysql-\d:3306 track readable", 3)):
        assert len(re.findall(kind, written)) == count
    assert set(re.findall(r"mysql-\d", written)) == set(NAMES)
