"""The people of a workload: each does one thing, again and again."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.cluster.client import Client, Line, Revoked, Shared, Told, claims, fingerprint
from tests.cluster.history import Outcome

PASSWORD = "correct horse battery"
WRITES = ("register", "login", "refresh", "logout", "change")


class Person(Client):
    """What more than one kind of person does."""

    def register(
        self, name: str, email: str, line: Line | None = None, *, taken: bool = False
    ) -> Told:
        """Ask for an account; `taken`: 409 is as good an answer as 201."""
        fields = {"username": name, "email": email, "password": PASSWORD}
        return self.record(
            f"name/{name}", "register", email, refusals={409},
            ask=lambda: (line or self.line).ask(
                "register", "POST", "/register", fields=fields, writes=True,
                good={201, 409} if taken else {201},
            ),
        )  # fmt: skip

    def new_account(self, name: str) -> None:
        """Register until it is answered; a 409 after a lost answer is that of the first try."""
        self.settle(lambda again: self.register(name, f"{name}@example.com", taken=again))

    def log_in(
        self, name: str, password: str = PASSWORD, good: frozenset[int] = frozenset({200})
    ) -> dict[str, Any] | None:
        """Log in until it is answered; the session's history begins with it."""
        fields = {"username": name, "password": password}
        told = self.settle(
            lambda _: self.record(
                f"password/{name}", "login", password, refusals={401},
                ask=lambda: self.line.ask(
                    "login", "POST", "/login", fields=fields, good=good, writes=True
                ),
            )
        )  # fmt: skip
        if not told.ok:
            return None
        session, token = session_of(told.body["refresh_token"])
        history = self.shared.history
        history.end(history.begin(self.name, session, "open"), Outcome.OK, token)
        return told.body

    def knows(self, name: str, password: str = PASSWORD) -> None:
        """Write into the history that an account has this password from now on."""
        history = self.shared.history
        history.end(history.begin(self.name, f"password/{name}", "register", password), Outcome.OK)

    def refresh(self, token: str, line: Line | None = None, *, ended: bool = False) -> Told:
        """Exchange a refresh token; `ended`: its session is over, and 401 the good answer."""
        session, presented = session_of(token)
        return self.record(
            session, "refresh", claims(token)["rotation"], presented, refusals={401},
            result=lambda body: fingerprint(body["refresh"]),
            ask=lambda: (line or self.line).ask(
                "refresh", "POST", "/api/auth/token/refresh/", fields={"refresh": token},
                good={401} if ended else {200}, writes=not ended,
            ),
        )  # fmt: skip

    def revoke(self, tokens: dict[str, Any]) -> None:
        """Remember the tokens of a session that has just ended."""
        ended = Revoked(tokens["access_token"], tokens["refresh_token"], time.monotonic())
        self.shared.revoked.append(ended)

    def account(self) -> str:
        """Make this person's own account, once."""
        name = f"{self.shared.mark}-{self.name}"
        self.new_account(name)
        self.knows(name)
        return name


class Registrar(Person):
    """Registers new names, and logs each in."""

    def run(self) -> None:
        self._numbers = itertools.count()
        super().run()

    def live(self) -> None:
        name = f"{self.shared.mark}-{self.name}-{next(self._numbers)}"
        self.new_account(name)
        if not self.over():
            self.knows(name)
            self.log_in(name)


class Contender(Registrar):
    """Two who want the same name at the same moment."""

    def __init__(self, shared: Shared, name: str) -> None:
        super().__init__(shared, name)
        self._tabs = (self.line, self.new_line())

    def live(self) -> None:
        name = f"{self.shared.mark}-both-{next(self._numbers)}"

        def want(number: int) -> None:
            email, line = f"{name}-{number}@example.com", self._tabs[number]
            self.settle(lambda _: self.register(name, email, line, taken=True))

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(want, (0, 1)))


class Refresher(Person):
    """Keeps a session alive; an answer that got lost is asked for again with the same token."""

    pause = 0.15

    def run(self) -> None:
        self._account = self.account()
        self._token: str | None = None
        super().run()

    def live(self) -> None:
        if self._token is None:
            tokens = self.log_in(self._account)
            self._token = tokens["refresh_token"] if tokens else None
        else:
            told = self.exchange(self._token)
            if told.ok:
                self._token = told.body["refresh"]
            elif not self.over() or told.status == 401:
                self.shared.forced_logouts.append(session_of(self._token)[0])
                self._token = None

    def exchange(self, token: str) -> Told:
        return self.settle(lambda _: self.refresh(token))


class TwoTabs(Refresher):
    """A session in two tabs of a browser, which refresh at the same moment."""

    pause = 0.3

    def __init__(self, shared: Shared, name: str) -> None:
        super().__init__(shared, name)
        self._tabs = (self.line, self.new_line())

    def exchange(self, token: str) -> Told:
        def one(line: Line) -> Told:
            return self.settle(lambda _: self.refresh(token, line))

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(one, self._tabs)
        return first if first.ok else second


class Leaver(Person):
    """Logs in, logs out, and tries the refresh token once more."""

    def run(self) -> None:
        self._account = self.account()
        super().run()

    def live(self) -> None:
        tokens = self.log_in(self._account)
        if tokens is None:
            return
        self.line.ask("own page", "GET", "/resource", token=tokens["access_token"])
        token = tokens["refresh_token"]
        told = self.settle(lambda again: self._log_out(token, again=again))
        if self.over():
            return
        if told.outcome is not Outcome.OK and told.status != 401:
            return
        self.revoke(tokens)
        self.settle(lambda _: self.refresh(token, ended=True))

    def _log_out(self, token: str, *, again: bool) -> Told:
        return self.record(
            session_of(token)[0], "logout", refusals={401},
            ask=lambda: self.line.ask(
                "logout", "POST", "/api/auth/logout/", fields={"refresh": token}, writes=True,
                good={200, 401} if again else {200},
            ),
        )  # fmt: skip


class Changer(Person):
    """Changes the password; the old one and every other session are then good for nothing."""

    def run(self) -> None:
        self._account = self.account()
        self._numbers = itertools.count(1)
        self._password = PASSWORD
        self._living: list[str] = []  # the keys of sessions that the next change ends
        super().run()

    def live(self) -> None:
        old, new = self._password, f"{PASSWORD} {next(self._numbers)}"
        own, other = self.log_in(self._account, old), self.log_in(self._account, old)
        if own is None or other is None:
            return
        self._living.append(session_of(other["refresh_token"])[0])
        if self._change_known(own["access_token"], old, new):
            self._living = [session_of(own["refresh_token"])[0]]
            self._password = new
            self.revoke(other)
            self._try_the_old(other["refresh_token"], old)

    def _change_known(self, access: str, old: str, new: str) -> bool:
        """Change, and write into each session's history that it ends; whether it surely did."""
        history = self.shared.history
        # Until it is known, either may count.
        self.shared.passwords[self._account] = (old, new)
        ends = [history.begin(self.name, key, "logout") for key in self._living]
        told = self.settle(lambda again: self._change(access, old, new, again=again))
        # Refused after a lost answer: then that one was it.
        if told.outcome is Outcome.UNKNOWN:
            return False
        for end in ends:
            history.end(end, Outcome.OK)
        self.shared.passwords[self._account] = (new, old)
        return True

    def _change(self, access: str, old: str, new: str, *, again: bool) -> Told:
        fields = {"current_password": old, "new_password": new}
        return self.record(
            f"password/{self._account}", "change", old, new, refusals={403},
            ask=lambda: self.line.ask(
                "change", "POST", "/api/auth/password/", token=access, fields=fields, writes=True,
                good={200, 403} if again else {200},
            ),
        )  # fmt: skip

    def _try_the_old(self, refresh_token: str, password: str) -> None:
        self.settle(lambda _: self.refresh(refresh_token, ended=True))
        self.log_in(self._account, password, good=frozenset({401}))


def session_of(token: str) -> tuple[str, str]:
    """The key of a refresh token's session, and the token's fingerprint."""
    return f"session/{claims(token)['sid']}", fingerprint(token)
