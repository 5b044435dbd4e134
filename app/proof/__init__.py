"""Re-authentication before a change of an account."""
