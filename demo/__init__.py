"""The demo identity provider of `make run SOCIAL_DEMO=1`."""
