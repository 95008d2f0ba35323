"""A flair file is a pickle: nothing is opened whose sum is not known."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub import Rejected
from hub.testkit.fakes import context
from plugins.flair.client import EMBEDDED_FILE, read_trusted
from plugins.flair.config import EMBEDDED_SHA256
from plugins.flair.enricher import FlairEnricher
from plugins.flair.plugin import register_enrichers
from tests.material import ROOT


class Bomb:
    """A pickle that makes a folder when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What the bomb makes."""
    return tmp_path / "exploded"


@pytest.fixture
def bomb(tmp_path: Path, mark: Path) -> Path:
    """A file that must never be opened."""
    path = tmp_path / "bomb.flair.pt"
    path.write_bytes(pickle.dumps(Bomb(mark)))
    return path


def enricher(**options: Any) -> FlairEnricher:
    """An enricher that has not loaded yet."""
    return FlairEnricher(FlairEnricher.Options.model_validate(options))


def sum_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_bomb_would_explode(bomb: Path, mark: Path) -> None:
    pickle.loads(bomb.read_bytes())
    assert mark.exists()


@pytest.mark.parametrize("sha256", [None, "0" * 64, EMBEDDED_SHA256])
def test_a_file_of_unknown_sum_is_refused_before_it_is_opened(bomb: Path, mark: Path, sha256: str | None) -> None:
    with pytest.raises(Rejected):
        enricher(model=str(bomb), sha256=sha256).load()
    assert not mark.exists()


def test_enriching_does_not_open_an_unknown_file_either(bomb: Path, mark: Path) -> None:
    with pytest.raises(Rejected):
        enricher(model=str(bomb)).enrich([])
    assert not mark.exists()


def test_the_refusal_names_the_file_the_sum_and_the_setting(bomb: Path) -> None:
    with pytest.raises(Rejected) as caught:
        enricher(model=str(bomb)).load()
    assert str(bomb) in str(caught.value)
    assert f'sha256 = "{sum_of(bomb)}"' in str(caught.value)
    assert caught.value.field == "sha256"


def test_a_wrong_sum_is_named_beside_the_one_found(bomb: Path) -> None:
    with pytest.raises(Rejected, match="0" * 64) as caught:
        enricher(model=str(bomb), sha256="0" * 64).load()
    assert sum_of(bomb) in str(caught.value)


def test_checking_a_connection_opens_nothing(bomb: Path, mark: Path) -> None:
    said = enricher(model=str(bomb), sha256=sum_of(bomb)).check(context())
    assert sum_of(bomb)[:12] in said
    assert not mark.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "absent.pt").touch()
    gone = enricher(model=str(tmp_path / "absent.pt"), sha256="0" * 64)
    (tmp_path / "absent.pt").unlink()
    with pytest.raises(Rejected, match=r"absent\.pt.*No such file") as caught:
        gone.load()
    assert caught.value.field == "model"


def test_the_bytes_that_were_summed_are_the_bytes_that_are_kept() -> None:
    file = read_trusted(FlairEnricher.Options())
    assert hashlib.sha256(file.data).hexdigest() == file.sha256 == EMBEDDED_SHA256


def test_the_embedded_model_may_lie_elsewhere(tmp_path: Path) -> None:
    copy = tmp_path / "copy.flair.pt"
    copy.write_bytes(EMBEDDED_FILE.read_bytes())
    assert read_trusted(FlairEnricher.Options(model=copy)).name == "copy"


def test_a_relative_path_starts_at_the_configurations_folder(bomb: Path) -> None:
    options = FlairEnricher.Options.model_validate(
        {"model": bomb.name, "sha256": sum_of(bomb)}, context={"folder": bomb.parent}
    )
    assert read_trusted(options).name == "bomb"


def test_a_sum_may_be_written_in_capitals(bomb: Path) -> None:
    assert read_trusted(FlairEnricher.Options(model=bomb, sha256=sum_of(bomb).upper())).data


@pytest.mark.parametrize(
    "wrong", [{"sha256": "abc"}, {"threads": 0}, {"max_windows": 0}, {"languages": ["eng"]}, {"colour": 1}]
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FlairEnricher.Options.model_validate(wrong)


def test_importing_the_plugin_imports_no_model_library() -> None:
    program = "import sys, plugins.flair.plugin; print({'flair', 'torch', 'onnxruntime', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.model
def test_loading_is_silent_on_stdout_and_free_of_warnings() -> None:
    program = (
        "import logging; from plugins.flair.enricher import FlairEnricher as E; E(E.Options()).load();"
        "logging.getLogger('flair').info('chatter'); logging.getLogger('flair').warning('trouble')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr.strip() == "trouble"


def test_the_plugin_registers_its_enricher() -> None:
    assert list(register_enrichers()) == [FlairEnricher]
