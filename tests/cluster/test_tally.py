"""How gaps, calm and late acceptances are told from what was counted."""

from __future__ import annotations

import time

import pytest

from tests.cluster.tally import Tally, lateness, longest_gap


def test_the_longest_gap() -> None:
    assert longest_gap([1.0, 1.5, 4.0, 4.1]) == 2.5
    assert longest_gap([1.0]) == float("inf"), "without writes there is no end of the gap"


@pytest.mark.parametrize(
    ("ended", "sent", "seconds"),
    [
        (10.0, 13.0, 3.0),  # nothing was away: since the logout
        (10.0, 15.5, 0.0),  # during the gap that begins at 14
        (10.0, 21.0, 1.0),  # since the database was back, at 20
        (22.0, 23.0, 1.0),  # the gap was before the logout
        (10.0, 5.0, 0.0),  # before any write
    ],
)
def test_for_how_long_a_logout_could_have_been_known(
    ended: float, sent: float, seconds: float
) -> None:
    written = [n / 2 for n in range(12, 29)] + [n / 2 for n in range(40, 60)]  # 6-14 and 20-29.5
    assert lateness(ended, sent, written) == seconds


def test_calm_needs_every_kind_of_write_and_no_failure() -> None:
    tally, since = Tally(), time.monotonic()
    tally.succeed("login", writes=True)
    assert not tally.is_calm(since, ["login", "logout"], 0), "no logout yet"
    tally.succeed("logout", writes=True)
    assert tally.is_calm(since, ["login", "logout"], 0)
    assert not tally.is_calm(since, ["login", "logout"], 60), "not for long enough"
    tally.fail("login", "503", 0.1)
    assert not tally.is_calm(since, ["login", "logout"], 0), "no login since the failure"
    assert tally.failures == {"503": 1}


def test_reads_of_the_resource_are_counted_by_themselves() -> None:
    tally = Tally()
    tally.succeed("resource", writes=False)
    tally.fail("resource", "502", 4.0)
    tally.fail("login", "503", 1.0)
    assert (tally.resource_good, tally.resource_failures) == (1, {"502": 1})
    assert tally.slowest_failure == 4.0
    assert tally.acknowledged() == []
