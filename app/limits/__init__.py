"""Rate limits: what is counted, and where."""
