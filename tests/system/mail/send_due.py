"""A process that sends what is due and ends: settings come from the environment."""

from __future__ import annotations

from app import create_app
from app.mail import sender

if __name__ == "__main__":
    with create_app().app_context():
        sender.send_due()
