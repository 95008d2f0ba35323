"""Log rotation as logrotate does it."""

from __future__ import annotations

import getpass
from pathlib import Path

from tests.deploy.material import DEPLOY, fitted, program, run


def rotate(folder: Path) -> None:
    """Rotate the logs of a folder as the file says, whatever their age."""
    who = getpass.getuser()
    text = fitted(
        DEPLOY / "logs/hubbub.logrotate", {"/var/log/hubbub": str(folder), "su hubbub hubbub": f"su {who} {who}"}
    )
    rules = folder.parent / "rules"
    rules.write_text(text)
    rules.chmod(0o600)
    told = run(program("logrotate"), "--force", "--state", folder.parent / "state", rules)
    assert told.returncode == 0, told.stderr


def test_a_log_is_emptied_in_place_and_what_it_held_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(0o700)
    log = folder / "web.log"
    with log.open("a") as part:
        part.write("one\n")
        part.flush()
        rotate(folder)
        part.write("two\n")
    assert log.read_text() == "two\n"
    assert (folder / "web.log.1").read_text() == "one\n"
