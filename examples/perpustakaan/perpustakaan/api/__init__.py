"""The API for programs: JSON under `/api/`, described by `/openapi.json`."""

from __future__ import annotations

from perpustakaan.api import books, description, loans
from perpustakaan.api.blueprint import blueprint

__all__ = ["blueprint", "books", "description", "loans"]
