"""The server: `python -m app.server`."""
