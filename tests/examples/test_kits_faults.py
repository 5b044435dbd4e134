"""The examples while the service is away, its answers are wrong, or clocks differ."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.examples.conftest import Pair, Service
from tests.examples.tokens import FOREIGN, P384
from tests.support import gateway as wrong
from tests.support.environment import missing, wait_until
from tests.support.gateway import KEYS, REVOKED, Answering
from tests.support.http import once
from tests.support.kits import Kit, Running, run_kit, verdict

pytestmark = pytest.mark.examples

GOOD = (200, None)
REVOKED_TOKEN = (401, "token_revoked")
INVALID = (401, "token_invalid")
AWAY = (503, "service_unavailable")
# Two documents, 2 s each, and what a busy machine adds.
BOUND = 6.0
# What README.md of the examples says of both documents.
REFETCH, COOLDOWN, SEEN, KEYS_MAX_AGE = 1.0, 10.0, 3.0, 300.0
# How fast the clocks run where five minutes are to pass; 2 s for an answer become 0.4 s.
SPEED = 5


def jwk(key: Any, **members: str) -> dict[str, str]:
    algorithm = jwt.get_algorithm_by_name("ES256")
    made: dict[str, str] = algorithm.to_jwk(key, as_dict=True) | members
    return made


def keys_of(service: Service) -> list[dict[str, str]]:
    found: list[dict[str, str]] = once(service.url, "GET", KEYS).json()["keys"]
    return found


NO_ANSWERS: dict[str, Answering] = {
    "hangs": wrong.hang,
    "drips": wrong.drip,
    "drips headers": wrong.drip_headers,
    "100 MB": wrong.huge,
    "no JSON": wrong.text("{"),
    "HTML": wrong.text("<!doctype html><p>Log in to the hotel", kind="text/html"),
    "nothing": wrong.text(""),
    "null": wrong.document(None),
    "a list": wrong.document([]),
    "an object": wrong.document({}),
    "nested arrays": wrong.text("[" * 20_000),
    "500": wrong.text('{"keys":[],"revoked":[]}', status=500),
    "a redirect": wrong.redirect,
    "304 unasked": wrong.text("", status=304),
}
NO_KEYS = NO_ANSWERS | {
    "no keys": wrong.document({"keys": []}),
    "keys is null": wrong.document({"keys": None}),
    "keys is an object": wrong.document({"keys": {}}),
    "keys of numbers": wrong.document({"keys": [1, None, "x"]}),
    "another curve": wrong.document({"keys": [jwk(P384.public_key(), kid="x", alg="ES384")]}),
    "a secret": wrong.document({"keys": [{"kty": "oct", "k": "eHg", "kid": "x", "alg": "HS256"}]}),
    "no point of the curve": wrong.document(
        {"keys": [jwk(FOREIGN.public_key(), kid="x", alg="ES256") | {"x": "AAAA"}]}
    ),
}
NO_LIST = NO_ANSWERS | {
    "revoked is null": wrong.document({"as_of": 1, "revoked": None}),
    "revoked is an object": wrong.document({"as_of": 1, "revoked": {}}),
    "revoked of numbers": wrong.document({"as_of": 1, "revoked": [1]}),
    "no until": wrong.document({"as_of": 1, "revoked": [{"sid": "1"}]}),
}


def timed(action: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    found = action()
    return found, time.monotonic() - began


def pass_time(seconds: float) -> None:
    """Let the time pass after which something is promised."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, f"{seconds} s", seconds + 5)


def each(programs: list[Running], action: Callable[[Running], Any]) -> list[Any]:
    """Do the same with all programs at once."""
    with ThreadPoolExecutor(max(1, len(programs))) as pool:
        return list(pool.map(action, programs))


def seen_by(programs: list[Running], token: str, expected: tuple[int, str | None]) -> list[float]:
    """How long after now each program says what is expected."""
    began = time.monotonic()

    def look(program: Running) -> float:
        wait_until(lambda: program.verdict(token) == expected, f"{program.kit.name}", 20)
        return time.monotonic() - began

    return each(programs, look)


# Logouts and keys


def test_a_logout_is_seen_everywhere_within_three_seconds(
    service: Service, all_running: list[Running]
) -> None:
    worst = dict.fromkeys((program.kit.name for program in all_running), 0.0)
    for _ in range(5):
        pair = service.log_in()
        assert each(all_running, lambda one, t=pair.access: one.verdict(t)) == [GOOD] * len(worst)  # type: ignore[misc]
        service.log_out(pair)
        for name, took in zip(worst, seen_by(all_running, pair.access, REVOKED_TOKEN), strict=True):
            worst[name] = max(worst[name], took)
    print(
        "\nlogout seen after, worst of 5:", {name: f"{took:.2f} s" for name, took in worst.items()}
    )
    assert max(worst.values()) <= SEEN


def test_a_logout_is_seen_by_many_requests_at_once_after_a_quiet_time(
    service: Service, running: Running
) -> None:
    pair = service.log_in()
    assert running.verdict(pair.access) == GOOD
    service.log_out(pair)
    pass_time(SEEN)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(running.verdict, [pair.access] * 24))
    assert found == [REVOKED_TOKEN] * 24


def test_a_session_that_left_the_list_stays_logged_out(
    make_service: Callable[..., Service], start_all: Callable[..., list[Running]]
) -> None:
    """Its token has expired, but is let in for the leeway."""
    short = make_service("short", ACCESS_TOKEN_TTL="30", WORKERS="1")
    programs = start_all(short)
    pair = short.log_in()
    assert each(programs, lambda program: program.verdict(pair.access)) == [GOOD] * len(programs)
    short.log_out(pair)
    seen_by(programs, pair.access, REVOKED_TOKEN)
    pass_time(pair.claims["exp"] + 1 - time.time())
    short.log_out(short.log_in())  # the list is made anew
    wait_until(lambda: pair.sid not in short.revoked(), "the session to leave the list")

    def look(program: Running) -> Any:
        asked = len(program.gateway.times(REVOKED))
        wait_until(
            lambda: (
                program.verdict(pair.access) and len(program.gateway.times(REVOKED)) > asked + 1
            ),
            "the list to be fetched",
        )
        return program.verdict(pair.access)

    assert each(programs, look) == [REVOKED_TOKEN] * len(programs)


def test_a_rotation_needs_no_restart_and_a_retired_key_ends(
    service: Service, all_running: list[Running]
) -> None:
    before = service.log_in()
    each(all_running, lambda program: program.verdict(before.access))
    pass_time(COOLDOWN)
    service.rotate()
    after = service.log_in()
    took = seen_by(all_running, after.access, GOOD)
    print("\nnew key taken after:", [f"{one:.2f} s" for one in took])
    assert max(took) < SEEN
    assert each(all_running, lambda program: program.verdict(before.access)) == [GOOD] * len(took)
    # A retired key is forgotten with the next fetch, which the next new key causes.
    service.retire(before.kid)
    pass_time(COOLDOWN)
    service.rotate()
    newest = service.log_in()
    seen_by(all_running, newest.access, GOOD)
    found = each(all_running, lambda program: program.verdict(before.access))
    assert found == [INVALID] * len(took)


# The service is away


@pytest.mark.parametrize("away", ["refuses", "hangs"])
def test_people_keep_working_while_the_service_is_away(
    service: Service, running: Running, away: str
) -> None:
    stays, leaves = service.log_in(), service.log_in()
    assert [running.verdict(pair.access) for pair in (stays, leaves)] == [GOOD, GOOD]
    took: list[float] = []

    def ask(_: int) -> float:
        found, seconds = timed(lambda: running.verdict(stays.access))
        assert found == GOOD
        return seconds

    with ThreadPoolExecutor(6) as pool:
        usual = statistics.median(pool.map(ask, range(60)))
    if away == "refuses":
        running.gateway.close()
    else:
        for path in (KEYS, REVOKED):
            running.gateway.answer(path, wrong.hang)
    service.log_out(leaves)
    end = time.monotonic() + 6
    with ThreadPoolExecutor(6) as pool:
        while time.monotonic() < end:
            took += pool.map(ask, range(30))
    assert running.verdict(leaves.access) == GOOD  # what nobody could tell it
    print(
        f"\n{running.kit.name} while the service {away}: {len(took)} requests, median "
        f"{statistics.median(took) * 1000:.0f} ms (before: {usual * 1000:.0f}), "
        f"slowest {max(took):.2f} s, over 1 s: {sum(one > 1 for one in took)}"
    )
    assert max(took) < BOUND
    assert statistics.median(took) < 3 * usual + 0.1  # the others are not held up
    running.gateway.restore()
    pass_time(REFETCH + 2)  # of the last failure; a request that hung has ended
    assert running.verdict(leaves.access) == REVOKED_TOKEN
    assert running.verdict(stays.access) == GOOD


def test_a_program_that_starts_before_the_service_recovers_by_itself(
    service: Service, start_all: Callable[..., list[Running]]
) -> None:
    """It had neither keys nor a list yet, whatever comes in their place."""
    pair = service.log_in()

    def look(program: Running) -> list[str]:
        answer = program.ask_with(pair.access)
        assert verdict(answer) == AWAY
        assert answer.headers["Retry-After"] == "5"
        program.gateway.open()
        slowest, wrong_verdicts = 0.0, []
        for path, answers in ((KEYS, NO_KEYS), (REVOKED, NO_LIST)):
            for name, answering in answers.items():
                program.gateway.answer(path, answering)
                found, took = asked_again(program, path, pair)
                if found != AWAY:
                    wrong_verdicts.append(f"{program.kit.name}: {path} {name}: {found}")
                slowest = max(slowest, took)
            program.gateway.answer(path)
        recovers = partial(wait_until, lambda: program.verdict(pair.access) == GOOD, "recovery")
        _, took = timed(recovers)
        print(f"\n{program.kit.name}: 503 within {slowest:.2f} s, recovered after {took:.2f} s")
        return wrong_verdicts + ([f"{program.kit.name} recovers late"] if took > SEEN else [])

    programs = start_all(service, is_open=False)
    faults = "\n".join(fault for found in each(programs, look) for fault in found)
    assert not faults, faults


def asked_again(program: Running, path: str, pair: Pair) -> tuple[Any, float]:
    """What is said once the program has asked for the path again, and the slowest answer."""
    asked = len(program.gateway.times(path))
    slowest, end = 0.0, time.monotonic() + 30
    while True:
        found, took = timed(lambda: program.verdict(pair.access))
        slowest = max(slowest, took)
        assert took < BOUND
        if len(program.gateway.times(path)) > asked:
            # The answer that the request waited for; another one says the same.
            return (found if found != GOOD else program.verdict(pair.access)), slowest
        assert time.monotonic() < end, f"{program.kit.name} does not ask for {path}"


def test_a_wrong_list_leaves_the_last_one_in_force(
    service: Service, all_running: list[Running]
) -> None:
    stays, left = service.log_in(), service.log_in()
    service.log_out(left)
    seen_by(all_running, left.access, REVOKED_TOKEN)

    def look(program: Running) -> list[str]:
        wrong_verdicts = []
        for name, answering in NO_LIST.items():
            if name != "304 unasked":
                program.gateway.answer(REVOKED, answering)
                found, _ = asked_again(program, REVOKED, stays)
                found_left = program.verdict(left.access)
                if (found, found_left) != (GOOD, REVOKED_TOKEN):
                    wrong_verdicts.append(f"{program.kit.name}: {name}: {found}, {found_left}")
        return wrong_verdicts

    faults = "\n".join(fault for found in each(all_running, look) for fault in found)
    assert not faults, faults


def test_a_wrong_set_of_keys_leaves_the_last_one_in_force(
    service: Service, all_running: list[Running]
) -> None:
    pair = service.log_in()
    strange = jwt.encode(pair.claims, FOREIGN, "ES256", {"kid": "strange", "typ": "at+jwt"})
    names = ["drips", "100 MB", "HTML", "no keys", "another curve", "keys of numbers"]
    assert each(all_running, lambda one: one.verdict(pair.access)) == [GOOD] * len(all_running)
    for name in names:
        pass_time(COOLDOWN)

        def look(program: Running, name: str = name) -> None:
            asked = len(program.gateway.times(KEYS))
            program.gateway.answer(KEYS, NO_KEYS[name])
            found, took = timed(lambda: program.verdict(strange))
            assert (found, took < BOUND) == (INVALID, True), (program.kit.name, name)
            assert len(program.gateway.times(KEYS)) > asked, (program.kit.name, name)
            assert program.verdict(pair.access) == GOOD, (program.kit.name, name)

        each(all_running, look)


@pytest.mark.parametrize("what", ["beside another curve", "twice", "private"])
def test_an_odd_set_of_keys_breaks_nothing(
    service: Service, start_all: Callable[..., list[Running]], what: str
) -> None:
    pair = service.log_in()
    (good,) = (key for key in keys_of(service) if key["kid"] == pair.kid)
    odd = {
        "beside another curve": [jwk(P384.public_key(), kid="other", alg="ES384"), good],
        "twice": [good, good],
        "private": [jwk(FOREIGN, kid="private", alg="ES256"), good],
    }
    programs = start_all(service, is_open=False)
    for program in programs:
        program.gateway.answer(KEYS, wrong.document({"keys": odd[what]}))
        program.gateway.open()
    seen_by(programs, pair.access, GOOD)


# Load and clocks


def test_unknown_kids_cause_one_fetch_in_ten_seconds(service: Service, running: Running) -> None:
    pair = service.log_in()
    assert running.verdict(pair.access) == GOOD

    def refuse(number: int) -> None:
        header = {"kid": f"unknown-{number}", "typ": "at+jwt"}
        token = jwt.encode(pair.claims, FOREIGN, "ES256", header)
        assert running.verdict(token) == INVALID

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(refuse, range(200)))
        memory, threads = running.footprint()
        asked = len(running.gateway.times(KEYS))
        _, took = timed(lambda: list(pool.map(refuse, range(200, 2200))))
    fetched = len(running.gateway.times(KEYS)) - asked
    memory_after, threads_after = running.footprint()
    print(
        f"\n{running.kit.name}: 2000 refused in {took:.1f} s, keys fetched {fetched} times, "
        f"memory {memory:.0f} → {memory_after:.0f} MB, threads {threads} → {threads_after}"
    )
    assert fetched <= took / COOLDOWN + 1
    assert threads_after <= threads + 4
    assert memory_after - memory < 40


def clock(offset: str) -> tuple[str, ...]:
    """The command that gives a program another clock."""
    if shutil.which("faketime") is None:
        missing("faketime")
    return "faketime", "-f", offset


@contextmanager
def wrong_clock(kit: Kit, copy: Path, service: Service, offset: str) -> Iterator[Running]:
    with run_kit(kit, copy, service.url, under=clock(offset)) as program:
        yield program


@pytest.mark.parametrize("offset", ["+120s", "-120s"])
def test_clocks_may_be_two_minutes_apart(
    service: Service, kit: Kit, installed: Callable[[Kit], Path], offset: str
) -> None:
    stays, left = service.log_in(), service.log_in()
    with wrong_clock(kit, installed(kit), service, offset) as program:
        assert program.verdict(stays.access) == GOOD
        service.log_out(left)
        wait_until(lambda: program.verdict(left.access) == REVOKED_TOKEN, "the logout", SEEN)
        assert program.verdict(stays.access) == GOOD


@pytest.mark.parametrize("offset", ["+170s", "-170s"])
def test_the_clock_of_the_tests_does_move(
    service: Service, kit: Kit, installed: Callable[[Kit], Path], offset: str
) -> None:
    """Beyond the leeway a new token is not good yet, or one of 15 s has expired."""
    pair = service.log_in()
    until = int(time.time()) + 15
    claims = pair.claims | {"exp": until}
    header = {"kid": pair.kid, "typ": "at+jwt"}
    token = jwt.encode(claims, service.private_key(pair.kid), "ES256", header)
    with wrong_clock(kit, installed(kit), service, offset) as program:
        expected = (401, "token_expired") if offset.startswith("+") else INVALID
        assert program.verdict(token) == expected


def test_a_retired_key_is_refused_within_five_minutes(
    service: Service, start_all: Callable[..., list[Running]]
) -> None:
    """On clocks that run five times as fast, so that a minute passes; no new key helps."""
    leaked = service.log_in()
    service.rotate()
    stays = service.log_in()
    assert leaked.kid != stays.kid
    # The monotonic clocks run fast as well, since some examples tell ages by them.
    fast = ("env", "-u", "FAKETIME_DONT_FAKE_MONOTONIC", *clock(f"+0 x{SPEED}"))
    programs = start_all(service, fast)

    def knows_both(program: Running) -> bool:
        return [program.verdict(pair.access) for pair in (leaked, stays)] == [GOOD, GOOD]

    each(programs, lambda one: wait_until(lambda: knows_both(one), one.kit.name))
    service.retire(leaked.kid)
    wait_until(lambda: leaked.kid not in {key["kid"] for key in keys_of(service)}, "the end")

    def look(program: Running) -> float:
        *_, fetched = program.gateway.times(KEYS)
        pass_time(fetched + 0.9 * KEYS_MAX_AGE / SPEED - time.monotonic())
        assert knows_both(program), program.kit.name  # nothing else refuses it
        assert program.gateway.times(KEYS)[-1] == fetched, program.kit.name
        pass_time(fetched + KEYS_MAX_AGE / SPEED - time.monotonic())
        wait_until(lambda: program.verdict(leaked.access) == INVALID, program.kit.name, 3)
        assert program.verdict(stays.access) == GOOD, program.kit.name
        return (time.monotonic() - fetched) * SPEED

    took = each(programs, look)
    print("\nretired key refused after:", [f"{one:.0f} s" for one in took])
