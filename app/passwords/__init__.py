"""Passwords: which are good enough, and how they are hashed."""
