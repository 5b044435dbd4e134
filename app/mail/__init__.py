"""Mails: what they say, the outbox that they wait in, and the thread that sends them."""
