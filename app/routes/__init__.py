"""Thin views: read, call an account rule, reply."""
