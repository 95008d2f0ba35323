"""Vendors' clients are imported when they are first needed: not to load a plugin, and not to listen."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

LISTEN = """
import sys
from hub.testkit.fakes import FakeHttp, answer, context
from {module} import {source}

source = {source}({source}.Options.model_validate({options}))
http = FakeHttp(lambda method, url, headers, content: answer(json={answer}))
assert not list(source.pull(context(http), {{"public": "1"}}))
assert http.requests
print(sorted({{"atproto", "mastodon", "requests"}} & set(sys.modules)))
"""
SESSION = {"did": "did:plc:a", "handle": "a.test", "accessJwt": "a.eyJleHAiOiA0MDAwMDAwMDAwfQ.c", "refreshJwt": "b"}
SOURCES: list[dict[str, Any]] = [
    {
        "module": "plugins.mastodon.source",
        "source": "MastodonSource",
        "options": {"instance": "https://m.example", "public": True},
        "answer": [],
    },
    {
        "module": "plugins.bluesky.source",
        "source": "BlueskySource",
        "options": {"handle": "a.test", "app_password": "x"},
        "answer": {**SESSION, "notifications": []},
    },
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda one: one["source"])
def test_to_listen_needs_no_client(source: dict[str, Any]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", LISTEN.format(**source)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (told.stdout, told.stderr) == ("[]\n", "")
