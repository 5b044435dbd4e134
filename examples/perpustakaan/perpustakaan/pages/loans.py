"""My loans: due dates, fines, renewals, and the books I wait for."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse

from perpustakaan import lending, lists
from perpustakaan.days import today
from perpustakaan.models import Loan, Reader
from perpustakaan.pages.blueprint import blueprint
from perpustakaan.pages.formats import full_date
from perpustakaan.pages.people import login_required
from perpustakaan.problems import Conflict

_MOST_OPEN = 200
_MOST_RETURNED = 20
_WHY_NOT = {
    "already_returned": _l("You have returned this book already."),
    "overdue": _l("Overdue: please bring the book back."),
    "renewals_used": _l("Renewed twice already, which is the limit."),
    "somebody_waits": _l("Cannot be renewed: another reader is waiting for it."),
}


@blueprint.get("/loans")
@login_required
def my_loans(me: Reader) -> str:
    """Show what a reader has, waits for and has had."""
    open_loans = lists.list_loans(me.id, is_open=True, limit=_MOST_OPEN)
    return render_template(
        "loans.html",
        loans=[
            (loan, lending.fine_of(loan, today()), _why_not(loan))
            for loan in sorted(open_loans, key=lambda loan: (loan.due_on, loan.id))
        ],
        places=lists.list_places(me.id),
        returned=lists.list_loans(me.id, is_open=False, limit=_MOST_RETURNED),
    )


@blueprint.post("/loans/<id:loan_id>/renew")
@login_required
def renew(me: Reader, loan_id: int) -> AnyResponse:
    """Renew a loan of one's own."""
    lists.find_loan(loan_id, me)
    try:
        loan = lending.renew(loan_id)
    except Conflict as conflict:
        flash(_WHY_NOT[conflict.code], "error")
    else:
        flash(
            _(
                "“%(title)s” is yours until %(day)s.",
                title=loan.book.title,
                day=full_date(loan.due_on),
            )
        )
    return redirect(url_for("pages.my_loans"), 303)


def _why_not(loan: Loan) -> object:
    """Why a loan cannot be renewed; "" if it can."""
    if lending.is_overdue(loan, today()):
        return _WHY_NOT["overdue"]
    if loan.renewals >= lending.MAX_RENEWALS:
        return _WHY_NOT["renewals_used"]
    return _WHY_NOT["somebody_waits"] if lists.is_awaited(loan.book_id) else ""
