"""What a comment becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hub import RawItem, Signal, Translated, TranslationError, author_key, signal_key
from hub.sdk.doc import Doc
from plugins.youtube.translate import item_of, payload_of, translate

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
SAID = {
    "authorChannelId": {"value": "UCana"},
    "authorDisplayName": "@ana",
    "authorChannelUrl": "http://www.youtube.com/@ana",
    "textDisplay": "Tom &amp; Jerry &lt;3<br><a href='https://x.example'>here</a>",
    "videoId": "kiesFilm001",
    "publishedAt": "2026-11-01T10:00:00Z",
    "updatedAt": "2026-11-01T10:00:00Z",
}


def translated(id_: str = "Ug1", **changes: Any) -> Translated:
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    payload = json.dumps({"id": id_, "snippet": said}).encode()
    found = translate(RawItem("tube", "youtube", payload, NOW, id_))
    assert isinstance(found, Translated)
    return found


def signal(id_: str = "Ug1", **changes: Any) -> Signal:
    return translated(id_, **changes).signals[0]


def test_a_comment_is_a_signal_and_its_author() -> None:
    found = translated()
    said, author = found.signals[0], found.authors[0]
    assert (said.native_id, said.kind, said.author_key) == ("Ug1", "comment", author_key("youtube", "UCana"))
    assert (author.handle, author.url) == ("@ana", "http://www.youtube.com/@ana")
    assert said.url == "https://www.youtube.com/watch?v=kiesFilm001&lc=Ug1"
    assert said.updated_at is None


def test_what_viewers_see_becomes_plain_text() -> None:
    assert signal().text == "Tom & Jerry <3\nhere"


def test_the_words_as_they_were_typed_are_taken_where_they_are_shown() -> None:
    assert signal(textOriginal="<b> & all").text == "<b> & all"


def test_a_reply_answers_its_thread() -> None:
    said = signal("Ug1.r2", parentId="Ug1")
    assert (said.kind, said.in_reply_to) == ("reply", signal_key("youtube", "Ug1"))


def test_an_edit_is_dated() -> None:
    assert signal(updatedAt="2026-11-02T10:00:00Z").updated_at == datetime(2026, 11, 2, 10, tzinfo=UTC)


def test_the_author_of_a_closed_account_is_unknown() -> None:
    found = translated(authorChannelId=None)
    assert (found.signals[0].author_key, found.authors) == (None, ())


def test_a_channels_own_comment_has_no_video_and_no_address() -> None:
    assert signal(videoId=None).url is None


@pytest.mark.parametrize(
    ("status", "state"), [("published", "live"), ("heldForReview", "hidden"), ("likelySpam", "hidden")]
)
def test_a_comment_that_is_held_is_hidden(status: str, state: str) -> None:
    assert signal(moderationStatus=status).state == state


@pytest.mark.parametrize("change", [{"id_": ""}, {"publishedAt": None}])
def test_a_comment_without_what_it_needs_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(TranslationError):
        translated(**change)


def test_a_like_makes_no_new_payload() -> None:
    plain, liked = (
        Doc({"id": "Ug1", "etag": f"e{likes}", "snippet": {**SAID, "likeCount": likes}}) for likes in (0, 7)
    )
    assert payload_of(plain, "v") == payload_of(liked, "v")


def test_a_reply_gets_the_video_of_its_thread_unless_it_names_one() -> None:
    bare = Doc({"id": "Ug1.r2", "snippet": {"parentId": "Ug1"}})
    named = Doc({"id": "Ug1.r2", "snippet": {"videoId": "kiesFilm002"}})
    videos = [json.loads(payload_of(one, "kiesFilm001"))["snippet"]["videoId"] for one in (bare, named)]
    assert videos == ["kiesFilm001", "kiesFilm002"]


def test_a_broken_comment_has_no_place_and_is_kept() -> None:
    assert item_of(b"null").payload == b"null"
    assert item_of(b"null").place is None
