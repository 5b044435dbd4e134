"""The description of the API as a page shows it: resolved, grouped by tag, in plain values."""

from app.system.reference.reader import build
from app.system.reference.values import Reference

__all__ = ["Reference", "build"]
