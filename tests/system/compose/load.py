"""Steady load: people who register, log in, open the resource and refresh; answers are counted."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

SECONDS_AT_MOST = 240  # the load ends by itself, whatever becomes of the test
PAUSE = 0.03
PASSWORD = "correct horse battery"


@dataclass
class Phase:
    """What was seen between two moments."""

    name: str
    began: float
    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    last_failure: float = 0.0

    @property
    def seconds_to_recover(self) -> float:
        """From the fault to the last request that failed."""
        return max(0.0, self.last_failure - self.began)


class Load:
    """Clients in threads against one address."""

    def __init__(self, url: str, clients: int = 6) -> None:
        self._address = urlsplit(url).netloc
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._until = time.monotonic() + SECONDS_AT_MOST
        self._threads = [threading.Thread(target=self._live, args=(n,)) for n in range(clients)]
        self.acknowledged: list[str] = []  # usernames for which a 201 came back
        self.forced_logouts = 0
        self.phases: list[Phase] = []

    def __enter__(self) -> Load:
        self.phase("steady")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def phase(self, name: str) -> Phase:
        """Count what comes from now on under another name."""
        with self._lock:
            self.phases.append(Phase(name, time.monotonic()))
            return self.phases[-1]

    def quiet(self, since: float, seconds: float = 3.0, requests: int = 150) -> bool:
        """Whether no request has failed for a while, with enough of them asked in the phase.

        The while begins at `since` at the earliest, when what the phase is about was over: what it
        makes fail is then counted for it, and not for the next.
        """
        phase = self.phases[-1]
        assert time.monotonic() < self._until, "the load has ended by itself"
        calm = time.monotonic() - max(since, phase.last_failure) > seconds
        return calm and phase.requests >= requests

    def _live(self, number: int) -> None:
        life = 0
        while not self._over():
            life += 1
            self._one_person(f"load{number}x{life}")

    def _one_person(self, name: str) -> None:
        fields = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        status, _ = self._ask("POST", "/register", fields, good={201})
        if status != 201:
            return  # perhaps made, perhaps not: nothing was promised
        with self._lock:
            self.acknowledged.append(name)
        status, tokens = self._ask("POST", "/login", fields, good={200})
        while status != 200 and not self._over():
            status, tokens = self._ask("POST", "/login", fields, good={200})
        for _ in range(3):
            if self._over():
                return
            for _ in range(4):
                self._ask("GET", "/resource", token=tokens["access_token"], good={200})
            tokens = self._refreshed(tokens)

    def _refreshed(self, tokens: dict[str, str]) -> dict[str, str]:
        """Refresh; an answer that got lost is asked for again with the same token."""
        while not self._over():
            sent = {"refresh": tokens["refresh_token"]}
            status, new = self._ask("POST", "/api/auth/token/refresh/", sent, good={200})
            if status == 200:
                return {"access_token": new["access"], "refresh_token": new["refresh"]}
            if status == 401:
                self.forced_logouts += 1
                break
        return tokens

    def _ask(
        self, method: str, path: str, fields: dict[str, str] | None = None, *,
        token: str | None = None, good: set[int],
    ) -> tuple[int, dict[str, str]]:  # fmt: skip
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        answer, status, reason = {}, 0, ""
        connection = http.client.HTTPConnection(self._address, timeout=30)
        try:
            connection.request(method, path, urlencode(fields) if fields else None, headers)
            response = connection.getresponse()
            status, reason = response.status, str(response.status)
            answer = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            status, reason = 0, type(error).__name__
        finally:
            connection.close()
        with self._lock:
            phase = self.phases[-1]
            phase.requests += 1
            if status not in good:
                phase.failures[reason] += 1
                phase.last_failure = time.monotonic()
        self._ending.wait(PAUSE)
        return status, answer

    def _over(self) -> bool:
        return self._ending.is_set() or time.monotonic() > self._until


def table(load: Load, lost: int) -> str:
    """The figures of every phase, for people to read."""
    lines = [
        f"{'under load':<22}{'requests':>9}{'failed':>8}  {'by status':<24}{'recovered in':>12}"
    ]
    for phase in load.phases:
        by_status = (
            ", ".join(f"{reason}: {n}" for reason, n in sorted(phase.failures.items())) or "-"
        )
        lines.append(
            f"{phase.name:<22}{phase.requests:>9}{phase.failures.total():>8}  {by_status:<24}"
            f"{phase.seconds_to_recover:>10.1f} s"
        )
    wrong = sum(phase.failures["500"] for phase in load.phases)
    lines += [
        "",
        f"registrations acknowledged {len(load.acknowledged)}, lost {lost}",
        f"wrong 500s {wrong}, clients logged out {load.forced_logouts}",
    ]
    return "\n".join(lines)
