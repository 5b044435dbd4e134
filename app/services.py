"""What an application holds besides its configuration: typed, each service owned by its feature.

A feature states its service once, as a typed name, and binds the object in its `init_app`:

    keyring = Service[Keyring]("keyring")

    def init_app(app: Flask) -> None:
        keyring.bind(app, Keyring(...))

    keyring().current()      # in a request or a command
    keyring.of(app).current()  # elsewhere

One dataclass with a field for each service would have to import every feature, and every feature
would import it. This way a type checker knows each service, and imports still go downward only.
Everything is under the one key `loguserapp` of `app.extensions`.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from flask import Flask, current_app

T = TypeVar("T")

_KEY = "loguserapp"


class Service(Generic[T]):
    """A typed entry of an application's state; a call returns that of the running application.

    Args:
        name: what an error message calls it.

    """

    def __init__(self, name: str) -> None:
        self._name = name

    def bind(self, app: Flask, value: T) -> None:
        """Give an application its object, in place of an earlier one."""
        app.extensions.setdefault(_KEY, {})[self] = value

    def of(self, app: Flask) -> T:
        """Return the object of an application.

        Raises:
            LookupError: none is bound.

        """
        bound: dict[Service[Any], Any] = app.extensions.get(_KEY, {})
        try:
            return cast("T", bound[self])
        except KeyError:
            raise LookupError(f"{app.name} has no {self._name}: call init_app first") from None

    def __call__(self) -> T:
        """Return the object of the running application (`flask.current_app`)."""
        return self.of(current_app)
