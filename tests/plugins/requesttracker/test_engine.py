"""The engine drives the desk both ways and knows nothing of it but its mappings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.requesttracker.conftest import TOKEN, Stand, running_hub


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the configuration takes from the environment."""
    monkeypatch.setenv("EARS_SECRET", "s" * 32)
    monkeypatch.setenv("DESK_TOKEN", TOKEN)


def test_a_conversation_is_one_ticket_and_the_agents_doing_comes_back(
    stand: Stand, tmp_path: Path, secrets: None
) -> None:
    with running_hub(tmp_path, stand.url) as engine:
        engine.hear(id="7", text="my parcel is lost")
        engine.run()
        engine.hear(id="8", text="still lost", in_reply_to="7")
        engine.run()
        stand.say("We are on it")
        stand.resolve()
        engine.run()
        sent = engine.sent()
    assert [one[:2] for one in sent[:2]] == [("create", "delivered"), ("comment", "delivered")]
    assert ("reply", "dead") in [one[:2] for one in sent]  # this source takes no replies, and the agent is told so
    assert stand.words()[-1].startswith("Not posted")
    assert stand.ticket()["Status"] == "resolved"
