"""The blueprint of the pages, which each of their modules adds to."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("pages", __name__)
