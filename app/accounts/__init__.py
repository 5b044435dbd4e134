"""Accounts: registration, login, profile, password, deletion."""
