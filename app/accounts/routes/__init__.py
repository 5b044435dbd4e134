"""Addresses of this feature."""
