"""Items as four APIs give them: made after their documentation, and recorded ones of the shared folder."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.material import shared
from tests.plugins.http.shelf import NOW

HITS: list[dict[str, Any]] = [
    {
        "objectID": "2",
        "created_at_i": int(NOW.timestamp()) - 60,
        "author": "bob",
        "comment_text": "I&#x27;m in &amp; happy",
        "story_id": 1,
        "parent_id": 1,
        "story_title": "Acme pays",
        "_tags": ["comment", "author_bob", "story_1"],
    },
    {
        "objectID": "1",
        "created_at_i": int(NOW.timestamp()) - 600,
        "author": "ann",
        "title": "Acme pays",
        "url": "https://acme.example/pays",
        "points": 12,
        "num_comments": 1,
        "story_id": 1,
        "_tags": ["story", "author_ann", "story_1"],
    },
]


def question(number: int, **more: Any) -> dict[str, Any]:
    """A question of Stack Exchange's API 2.3, with its body."""
    return {
        "question_id": number,
        "title": "What&#39;s &quot;acme&quot;?",
        "body": "<p>Anyone?</p>",
        "link": f"https://stackoverflow.com/questions/{number}/x",
        "tags": ["acme", "pay"],
        "owner": {"user_id": 7, "display_name": "Ann", "link": "https://stackoverflow.com/users/7/ann"},
        "creation_date": 1459908076,
        "last_activity_date": 1459975066 + number,
        "score": -1,
        "answer_count": 2,
        "view_count": 17,
        **more,
    }


def comment(number: int, **more: Any) -> dict[str, Any]:
    """A comment of WordPress' REST API."""
    at = NOW - timedelta(minutes=200 - number)
    return {
        "id": number,
        "post": 5,
        "parent": 0,
        "author": 0,
        "author_name": "Vera &amp; Co",
        "author_url": "",
        "date_gmt": at.isoformat().removesuffix("+00:00"),
        "content": {"rendered": f"<p>Comment {number}</p>"},
        "link": f"https://blog.example.com/hello/#comment-{number}",
        "status": "approved",
        **more,
    }


def review(number: int) -> dict[str, Any]:
    """A review of the App Store's public feed, as newer feeds have it."""
    return {
        "id": {"label": str(number)},
        "updated": {"label": "2026-01-02T03:00:00-08:00"},
        "title": {"label": "Good"},
        "content": {"label": "It works.", "attributes": {"type": "text"}},
        "im:rating": {"label": "4"},
        "im:voteSum": {"label": "3"},
        "author": {"uri": {"label": "https://itunes.apple.com/us/reviews/id1"}, "name": {"label": "ann"}, "label": ""},
    }


def recorded(name: str) -> list[Any]:
    """The bodies of a file of recorded items."""
    lines = shared(f"recordings/items/{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["body"] for line in lines]
