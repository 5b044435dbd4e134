"""The unit for systemd says nothing that systemd does not know."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.environment import ROOT, missing


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze")
    text = (ROOT / "deploy" / "loguserapp.service").read_text(encoding="utf-8")
    # What the unit names is there after an installation only.
    text = text.replace("/opt/loguserapp/.venv/bin/python", sys.executable)
    text = text.replace("/opt/loguserapp", str(ROOT)).replace("User=loguserapp\n", "")
    unit = tmp_path / "loguserapp.service"
    unit.write_text(text, encoding="utf-8")
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
