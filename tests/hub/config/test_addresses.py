"""Addresses of Redis, the database and proxies: in the file, or in a secret that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.config.settings import Settings, load_settings
from hub.core.errors import ConfigError
from hub.flow.views import files
from hub.runtime import redis_url

SECRET = "rediss://hub:s3cret@redis.example:6380/0"


def settings(folder: Path, text: str) -> Settings:
    file = folder / "config.toml"
    file.write_text(text)
    return load_settings(file)


@pytest.mark.parametrize("table", ["redis", "database"])
@pytest.mark.parametrize("where", ["env", "file"])
def test_an_address_may_stand_in_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, where: str
) -> None:
    monkeypatch.setenv("ADDRESS", f" {SECRET}\n")
    (tmp_path / "ADDRESS").write_text(f"{SECRET}\n")
    found = settings(tmp_path, f'[{table}]\nurl = {{ {where} = "ADDRESS" }}\n')
    assert {"redis": redis_url(found), "database": found.database_url}[table] == SECRET


def test_an_address_in_the_file_stays_as_it_is(tmp_path: Path) -> None:
    assert redis_url(settings(tmp_path, '[redis]\nurl = "redis://127.0.0.1/3"\n')) == "redis://127.0.0.1/3"


@pytest.mark.parametrize("table", ["redis", "database"])
def test_a_secret_that_is_not_there_is_told_with_its_place(tmp_path: Path, table: str) -> None:
    found = settings(tmp_path, f'[{table}]\nurl = {{ env = "NOT_THERE" }}\n')
    with pytest.raises(ConfigError, match=rf"{table}\.url: the environment has no variable NOT_THERE"):
        _ = (found.database_url, redis_url(found))


@pytest.mark.parametrize(
    "value", ["1", "[]", "true", "{}", '{ env = "" }', '{ env = "A", file = "b" }', '{ url = "x" }']
)
@pytest.mark.parametrize("place", ["[redis]\nurl", "[database]\nurl", '[sources.x]\nplugin = "rss"\nproxy'])
def test_what_is_no_address_is_told_with_the_way_out(tmp_path: Path, place: str, value: str) -> None:
    with pytest.raises(ConfigError, match=r'write the address as text, or \{ env = "NAME" \}'):
        settings(tmp_path, f"{place} = {value}\n")


def test_neither_the_secret_nor_a_password_is_shown(tmp_path: Path) -> None:
    (tmp_path / "address").write_text(SECRET)
    settings(tmp_path, f'[redis]\nurl = {{ file = "address" }}\n[database]\nurl = "{SECRET}"\n')
    shown = str(files.settings(tmp_path / "config.toml"))
    assert ("s3cret" in shown, "'file': 'address'" in shown) == (False, True)
