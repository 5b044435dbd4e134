"""Access marks: whom a view lets pass, and which rate limit it counts.

A view without a mark stops the start. So does a view that changes something and declares neither
a limit nor why it needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, overload

from flask import Flask, g

from app.core.errors import TokenMissingError
from app.limits.declared import RouteLimit
from app.web.access import ask_to_log_in, bearer_token, current_person
from app.web.negotiation import is_browser, origin

View = TypeVar("View", bound=Callable[..., Any])
_SAFE = {"GET", "HEAD", "OPTIONS"}


class AccessMark:
    """A decorator that says whom a view lets pass.

    Args:
        access: the name of the mark.
        guard: wraps a view so that it is called only for those whom the mark lets pass.

    """

    def __init__(self, access: str, guard: Callable[[Any], Any]) -> None:
        self._access, self._guard = access, guard

    @overload
    def __call__(self, view: View, /) -> View: ...

    @overload
    def __call__(
        self, /, *, limit: RouteLimit | None = None, unlimited: str = ""
    ) -> Callable[[View], View]: ...

    def __call__(
        self, view: Any = None, /, *, limit: RouteLimit | None = None, unlimited: str = ""
    ) -> Any:
        """Mark a view.

        Args:
            view: the view, where the mark stands without arguments.
            limit: what the view counts.
            unlimited: why a view that changes something or takes a secret counts nothing.

        """
        if view is None:
            return partial(self._marked, limit=limit, unlimited=unlimited)
        return self._marked(view, limit=limit, unlimited=unlimited)

    def _marked(self, view: Any, *, limit: RouteLimit | None, unlimited: str) -> Any:
        marked = self._guard(_limited(view, limit) if limit else view)
        marked.access, marked.limit, marked.unlimited = self._access, limit, unlimited
        return marked


def _limited(view: Any, limit: RouteLimit) -> Any:
    """The view, which counts its limit by the client's address."""

    @wraps(view)
    def limited(*args: Any, **kwargs: Any) -> Any:
        address = origin().address
        if limit.count_valid_form is not None:
            g.count_valid_form = partial(limit.count_valid_form, address)  # `parse_form` takes it
        with limit.count_refusals(address):
            return view(*args, **kwargs)

    return limited


def _with_token(view: Any) -> Any:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(bearer_token(), *args, **kwargs)

    return guarded


def _with_person(view: Any) -> Any:
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        who = current_person()
        if who is None and is_browser():
            return ask_to_log_in()
        if who is None:
            raise TokenMissingError
        return view(who, *args, **kwargs)

    return guarded


# Lets every client pass.
public = AccessMark("public", lambda view: view)
# Lets programs with a valid access token pass; the view gets the AccessToken as first argument.
bearer_only = AccessMark("bearer", _with_token)
# Lets logged-in people pass; the view gets the Person as first argument.
person_only = AccessMark("person", _with_person)


def require_access_marks(app: Flask) -> None:
    """Stop the start if a view lacks its mark or its limit.

    Raises:
        RuntimeError: a view has no access mark, or changes something without naming its limit.

    """
    rules = app.url_map.iter_rules()
    changing = {rule.endpoint for rule in rules if (rule.methods or set()) - _SAFE}
    views: dict[str, Any] = app.view_functions
    for name, view in views.items():
        if name == "static":
            continue
        if not hasattr(view, "access"):
            raise RuntimeError(f"the view {name} does not say whom it lets pass")
        if name in changing and not (view.limit or view.unlimited):
            raise RuntimeError(f"the view {name} names no limit, nor why it needs none")
