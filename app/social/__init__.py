"""Logging in with an external identity."""
