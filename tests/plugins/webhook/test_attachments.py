"""Messages with attachments: kept with what can be had of them, and what cannot is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.core.errors import TranslationError
from hub.core.model import Media, Rating, RawItem, Translated
from hub.sdk.attachments import MOST
from tests.plugins.webhook.given import NOW, inbound

PICTURE = "https://cdn.example/cat.jpg"


def said(**body: Any) -> Translated:
    """What a body says."""
    raw = RawItem("shop", "webhook", json.dumps({"id": "1", **body}).encode(), NOW, "1", "shop")
    found = inbound().translate(raw)
    assert isinstance(found, Translated)
    return found


@pytest.mark.parametrize(
    "body",
    [
        {"attachments": [{"type": "image", "url": PICTURE}]},
        {"attachments": [{"type": "image", "payload": {"url": PICTURE}}]},
        {"media": PICTURE},
        {"image_url": PICTURE},
        {"image": {"src": PICTURE}},
        {"text": "", "photos": [PICTURE, PICTURE]},
        {"text": None, "files": [{"content_type": "image/jpeg", "href": PICTURE}]},
        {"html": f'<p><img alt="" src="{PICTURE}"></p>'},
        {"html": f'<img src="{PICTURE.removeprefix("https:")}">'},
        {"media": [[PICTURE]]},
        {"media": [{"media_url_https": PICTURE}]},
        {"media": [{"type": "photo", "thumbnail": {"url": PICTURE}}]},
        {"sticker": {"url": PICTURE}},
    ],
)
def test_a_message_that_is_only_a_picture_is_a_signal_with_it(body: dict[str, Any]) -> None:
    (signal,) = said(**body).signals
    assert (signal.text, [(one.kind, one.url) for one in signal.media]) == ("", [("image", PICTURE)])


def test_a_film_in_html_and_a_picture_of_a_mail_are_not_lost() -> None:
    found = said(html='<video src="https://cdn.example/a"></video><img src="cid:1">')
    assert [(one.kind, one.url) for one in found.signals[0].media] == [("video", "https://cdn.example/a")]
    assert found.left_out.startswith("1 of its attachments")


def test_the_address_of_a_picture_in_html_is_read_as_a_browser_reads_it() -> None:
    (signal,) = said(html=f"<img src='{PICTURE}?w=1&amp;h=2'>").signals
    assert [one.url for one in signal.media] == [f"{PICTURE}?w=1&h=2"]


def test_a_text_keeps_its_attachments_of_all_names() -> None:
    (signal,) = said(
        text="look",
        images=[{"url": PICTURE, "alt": "a cat"}],
        attachments=[{"url": "https://cdn.example/a.bin", "mime_type": "video/mp4"}, "https://cdn.example/b.ogg"],
    ).signals
    assert sorted(signal.media, key=lambda one: one.url) == [
        Media("video", "https://cdn.example/a.bin", mime="video/mp4"),
        Media("audio", "https://cdn.example/b.ogg"),
        Media("image", PICTURE, alt="a cat"),
    ]


@pytest.mark.parametrize(
    "one", [{"data": "aGVsbG8="}, "cat.jpg", "javascript:alert(1)", "data:image/png;base64,AA", 7, True, {"url": 5}]
)
def test_an_attachment_without_a_web_address_is_told(one: Any) -> None:
    found = said(attachments=[one])
    assert [signal.text for signal in found.signals] == [""]
    assert found.left_out == "1 of its attachments have no web address and were left out"


def test_a_flood_of_attachments_is_counted() -> None:
    found = said(media=[f"{PICTURE}?{number}" for number in range(MOST + 5)])
    assert (len(found.signals[0].media), found.left_out.split()[0]) == (MOST, "5")


@pytest.mark.parametrize("best", ["rating_best", "max_rating", "bestRating"])
def test_the_best_of_a_scale_may_stand_beside_the_rating(best: str) -> None:
    assert said(rating=3, **{best: 10}).signals[0].rating == Rating(3, 10, 0)


def test_a_review_of_stars_alone_is_kept() -> None:
    reader = {"fields": {"rating": {"from": "stars"}}}
    raw = RawItem("shop", "webhook", b'{"id": "1", "stars": 2}', NOW, "1", "shop")
    from plugins.webhook.translate import compile_reader, translate

    (signal,) = translate(raw, compile_reader(reader), network="shop").signals
    assert (signal.text, signal.rating and signal.rating.value) == ("", 2.0)


@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"attachments": []}, {"attachments": None}, {"media": {}}, {"rating": "n/a"}]
)
def test_what_says_nothing_at_all_is_no_message(body: dict[str, Any]) -> None:
    with pytest.raises(TranslationError, match="text"):
        said(**body)


def test_an_author_known_by_a_name_is_none_whose_number_it_is() -> None:
    keys = {said(text="a", author={field: "7"}).authors[0].key for field in ("id", "handle", "name")}
    assert len(keys) == 2
