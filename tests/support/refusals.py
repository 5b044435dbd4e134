"""Every class of refusal in the application."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import app
from app.core.errors import AccountError, TokenError
from app.social.errors import ProviderError

# Never raised themselves: what several refusals have in common.
BASES = {AccountError, TokenError, ProviderError}


def subclasses(error: type[AccountError]) -> Iterator[type[AccountError]]:
    for subclass in error.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


def refusals() -> list[type[AccountError]]:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [error for error in subclasses(AccountError) if error not in BASES]


REFUSALS = refusals()
