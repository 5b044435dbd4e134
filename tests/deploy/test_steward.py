"""When the steward makes a group, with which member, and whom it lets in."""

from __future__ import annotations

import pytest

from deploy.cluster.members import Peer, is_online
from deploy.cluster.steward import Decision, Member, decide

ALL = ("mysql-1", "mysql-2", "mysql-3")


def is_subset(one: str, other: str) -> bool:
    """Of sets such as "1 2 3", where MySQL has ranges of numbers."""
    return set(one.split()) <= set(other.split())


def outside(transactions: str, state: str = "OFFLINE") -> Member:
    return Member(state, is_online=False, transactions=transactions)


ONLINE = Member("ONLINE", is_online=True, transactions="1 2")


def decided(*members: Member | None) -> Decision:
    return decide(dict(zip(ALL, members, strict=True)), is_subset)


@pytest.mark.parametrize(
    ("transactions", "first"),
    [
        (("", "", ""), "mysql-1"), (("1 2", "1 2", "1 2"), "mysql-1"),
        (("1", "1 2", "1 2 3"), "mysql-3"), (("1", "1 2 3", ""), "mysql-2"),
    ],
)  # fmt: skip
def test_a_group_begins_with_the_most_advanced_member(
    transactions: tuple[str, str, str], first: str
) -> None:
    assert decided(*map(outside, transactions)) == Decision(bootstrap=first)


def test_of_two_that_have_everything_the_one_begins_that_can_at_once() -> None:
    survivor = outside("1 2", "ERROR")
    assert decided(survivor, outside("1 2"), outside("1")).bootstrap == "mysql-2"
    assert decided(survivor, outside("1"), outside("1")).bootstrap == "mysql-1"


def test_no_group_begins_where_each_member_lacks_something() -> None:
    decision = decided(outside("1 2"), outside("1 3"), outside("1"))
    assert decision.bootstrap is None
    assert decision.problem is not None
    assert "mysql-1: 1 2; mysql-2: 1 3; mysql-3: 1" in decision.problem


def test_no_group_begins_while_a_member_is_silent() -> None:
    """It might be the most advanced, or in a group that cannot be seen from here."""
    decision = decided(outside("1 2"), outside("1 2"), None)
    assert (decision.join, decision.bootstrap) == ((), None)
    assert decision.problem is not None
    assert "mysql-3" in decision.problem


@pytest.mark.parametrize("state", ["ONLINE", "RECOVERING", "UNREACHABLE"])
def test_no_group_begins_while_a_member_is_in_one(state: str) -> None:
    without_majority = Member(state, is_online=False, transactions="1")
    decision = decided(without_majority, outside("1 2"), outside("1 2"))
    assert (decision.join, decision.bootstrap) == ((), None)
    assert decision.problem is not None


def test_those_outside_join_the_group_that_is_there() -> None:
    assert decided(ONLINE, outside("1"), outside("1", "ERROR")).join == ("mysql-2", "mysql-3")
    assert decided(ONLINE, None, outside("1 2 3")).join == ("mysql-3",)
    recovering = Member("RECOVERING", is_online=False, transactions="")
    assert decided(ONLINE, recovering, ONLINE) == Decision()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("ONLINE", "ONLINE", "ONLINE"), True), (("ONLINE", "UNREACHABLE", "ONLINE"), True),
        (("ONLINE", "UNREACHABLE", "UNREACHABLE"), False), (("ONLINE", "UNREACHABLE"), False),
        (("ONLINE",), True), (("RECOVERING", "ONLINE", "ONLINE"), False), (("OFFLINE",), False),
        ((), False),
    ],
)  # fmt: skip
def test_a_member_is_online_if_it_sees_a_majority(states: tuple[str, ...], expected: bool) -> None:
    peers = [Peer(name, state, "") for name, state in zip(ALL, states, strict=False)]
    assert is_online("mysql-1", peers) is expected
