"""The token of a mail's link: it leaves the address bar at once and waits in the session.

A page then asks for one press of a button, since programs that scan mails open every link.
"""

from __future__ import annotations

from flask import redirect, request, session
from werkzeug.exceptions import NotAcceptable
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import AccountError, ProofRefusedError, TooManyRequestsError
from app.text import _l, _ln
from app.web.negotiation import is_browser

# Characters; a token of ours has 43.
_LONGEST = 128
REFUSED = _l("This link is used, has expired or is not whole.")


def take_from_address() -> AnyResponse | None:
    """Move the token of the address into the session, and lead to the address without it.

    Returns:
        The redirect; None: the address has no token.

    Raises:
        NotAcceptable: a program asks, which keeps no session.

    """
    if not is_browser():
        raise NotAcceptable
    token = request.args.get("token")
    if token is None:
        return None
    session[_key()] = token[:_LONGEST]
    return redirect(request.path, 303)


def waiting() -> str | None:
    """The token that waits for this page, or None. A form with a code is of the page without."""
    token: str | None = None if "code" in request.form else session.get(_key())
    return token


def sent() -> str | None:
    """The token of the form that is sent.

    Returns:
        None: the form has a code. Empty: it was used meanwhile, by another tab or a second press.

    """
    return None if "code" in request.form else waiting() or ""


def forget(page: str | None = None) -> None:
    """Forget the token of a page, or of this one: it is used, or good for nothing."""
    session.pop(_key(page), None)


def ask_code_of(page: str, email: str) -> None:
    """Have a page ask for the code of a mail that went to an e-mail, in place of an older link."""
    forget(page)
    session[f"code {page}"] = email


def code_asked_of() -> str | None:
    """The e-mail that a mail with a code for this page went to, or None."""
    email: str | None = session.get(f"code {request.path.rstrip('/')}")
    return email


def word_refusal(error: AccountError) -> bool:
    """Say of a refusal whether the link or the code is at fault, for the page that shows it.

    Returns:
        Whether it is the link, which is then forgotten.

    """
    by_link = "code" not in request.form
    if isinstance(error, ProofRefusedError) and by_link:
        error.page_detail = REFUSED
        forget()
        return True
    if isinstance(error, ProofRefusedError):
        said = _l(
            "This code is wrong, used or expired, or was tried five times. Check it, or ask for a "
            "new mail."
        )
        error.errors = {"code": [said]}
    elif isinstance(error, TooManyRequestsError) and not by_link:
        error.page_detail = _ln(
            "Too many wrong codes or passwords. Try again in a minute.",
            "Too many wrong codes or passwords. Try again in %(num)s minutes.",
            -(-(error.retry_after or 0) // 60),
        )
        error.clock_detail = _l("Too many wrong codes or passwords. Try again at {time}.")
    return False


def _key(page: str | None = None) -> str:
    return f"link {page or request.path.rstrip('/')}"
