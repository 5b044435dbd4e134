"""Dates and amounts as people write them in each language."""

from __future__ import annotations

from datetime import date, datetime

from flask import Flask
from flask_babel import format_date, format_decimal, ngettext
from flask_babel import gettext as _

from perpustakaan.days import day_of, today


def init_app(app: Flask) -> None:
    """Add the filters."""
    for each in (day, full_date, rupiah, due):
        app.add_template_filter(each)


def day(moment: date | datetime) -> str:
    """Such as "December 11, 2026" or "11 Desember 2026"."""
    on = day_of(moment) if isinstance(moment, datetime) else moment
    return str(format_date(on, "long", rebase=False))


def full_date(moment: date) -> str:
    """Such as "Friday, December 11, 2026" or "Jumat, 11 Desember 2026"."""
    return str(format_date(moment, "full", rebase=False))


def rupiah(amount: int) -> str:
    """Such as "Rp1,000" or "Rp1.000"."""
    return f"Rp{format_decimal(amount)}"


def due(day_due: date) -> str:
    """How far off a due date is, such as "due in 3 days"."""
    left = (day_due - today()).days
    if left < 0:
        return str(ngettext("%(num)s day overdue", "%(num)s days overdue", -left))
    if left == 0:
        return str(_("due today"))
    return str(ngettext("due in %(num)s day", "due in %(num)s days", left))
