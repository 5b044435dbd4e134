"""The day of the library: times are kept in UTC, people live by the calendar of their place."""

from __future__ import annotations

from datetime import UTC, date, datetime

from flask import current_app

from perpustakaan.database import utc_now


def today() -> date:
    """The day on which it is now where the library is."""
    return day_of(utc_now())


def day_of(moment: datetime) -> date:
    """The day on which a time of the tables falls where the library is (`TIMEZONE`)."""
    return moment.replace(tzinfo=UTC).astimezone(current_app.config["TIMEZONE"]).date()
