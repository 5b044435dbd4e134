"""The compose file hands on every setting, and the additions to it name what is there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from app.config import Config
from tests.support.environment import ROOT, missing

# What the stack decides by itself.
FIXED = {
    "DATABASE_URL", "INSTANCE_PATH", "HOST", "PORT", "SECRET_KEY", "TRUSTED_PROXIES", "SOCIAL_DEMO",
}  # fmt: skip


def test_every_setting_can_be_given() -> None:
    written = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    names = {name.upper() for name in Config.__dataclass_fields__} - {"TESTING"} - FIXED
    assert [name for name in sorted(names) if f"  {name}:" not in written] == []


@pytest.mark.parametrize("addition", ["deploy/https.yml", "deploy/mail.yml"])
def test_an_addition_fits(tmp_path: Path, addition: str) -> None:
    program = shutil.which("docker")
    if program is None:
        missing("docker")
    done = subprocess.run(
        [program, "compose", "-f", "docker-compose.yml", "-f", addition, "config", "--quiet"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": str(Path(program).parent), "HOME": str(tmp_path), "PUBLIC_URL": "https://a.b"},
    )  # fmt: skip
    if "is not a docker command" in done.stderr or "unknown shorthand flag" in done.stderr:
        missing("docker compose")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_password_of_the_mail_server_can_come_from_a_file() -> None:
    text = (ROOT / "deploy" / "mail.yml").read_text(encoding="utf-8")
    assert "SMTP_PASSWORD_FILE: /run/smtp_password" in text
    assert "./deploy/smtp_password:/run/smtp_password:ro" in text
    assert "/deploy/smtp_password\n" in (ROOT / ".gitignore").read_text(encoding="utf-8")
