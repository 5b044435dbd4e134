"""Accounts from another program, with the hashes of their passwords, and to another one."""
