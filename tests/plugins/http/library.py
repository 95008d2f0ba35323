"""A library of posts that four APIs lend out, each in its own form: what the shipped files read, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub import HttpResponse
from hub.testkit.fakes import FakeClock, SentRequest, answer
from hub.testkit.server import LocalServer
from plugins.http.config import SHIPPED

Query = Mapping[str, str]
Post = dict[str, Any]
NOT_FOUND = answer(404, {"error": "not found"})


@dataclass
class Library:
    """Posts by number; `size` are shown at once. `lend` answers a path and a query in the form of one API."""

    clock: FakeClock
    size: int
    lend: Callable[[Library, str, Query], HttpResponse]
    posts: dict[int, Post] = field(default_factory=dict)
    made: int = 0

    def add(self, text: str) -> int:
        """Somebody posts it, now."""
        self.made += 1
        now = self.clock()
        self.posts[self.made] = {"id": self.made, "text": text, "at": now, "changed": now, "edited": False}
        return self.made

    def edit(self, number: int, text: str) -> None:
        """Other words."""
        self.posts[number] |= {"text": text, "changed": self.clock(), "edited": True}

    def delete(self, number: int) -> None:
        """Take it back."""
        del self.posts[number]

    def listed(self, by: str, *, since: datetime | None = None, newest: bool = False) -> list[Post]:
        """The posts in the order of a time."""
        found = [one for one in self.posts.values() if since is None or one[by] >= since]
        return sorted(found, key=lambda one: (one[by], one["id"]), reverse=newest)

    def shelf(self, posts: list[Post], page: int) -> list[Post]:
        """A page of them, counted from 0."""
        return posts[page * self.size : (page + 1) * self.size]

    def serve(self, request: SentRequest) -> HttpResponse:
        """Answer one request."""
        parts = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self.lend(self, unquote(parts.path), query)


def at(seconds: str) -> datetime:
    """A time in seconds since 1970."""
    return datetime.fromtimestamp(int(seconds)).astimezone()


@contextmanager
def moved(name: str, library: Library, **changes: str) -> Iterator[Path]:
    """The shipped file with its hosts here; `changes` are words that become others (a page's size)."""
    text = (SHIPPED / f"{name}.toml").read_text("utf-8")
    with LocalServer(library.serve) as server, TemporaryDirectory() as folder:
        here = urlsplit(server.url).netloc
        for host in ("hn.algolia.com", "hacker-news.firebaseio.com", "api.stackexchange.com", "itunes.apple.com"):
            text = text.replace(f"https://{host}", f"https://{here}")
        for old, new in changes.items():
            text = text.replace(old, new)
        path = Path(folder) / f"{name}.toml"
        path.write_text(text.replace("{site}/wp-json", f"{here}/wp-json"))
        yield path


# ------------------------------------------------------------------------------------------------------- the four forms


def hacker_news(library: Library, path: str, query: Query) -> HttpResponse:
    """Algolia's search, newest first; one item by its id at Firebase, `null` if it is gone."""
    if path.startswith("/v0/item/"):
        found = library.posts.get(int(path.rpartition("/")[2].removesuffix(".json")))
        return answer(content=b"null") if found is None else answer(json={"id": found["id"]})
    since, page = at(query["numericFilters"].rpartition("=")[2]), int(query["page"])
    found = library.listed("at", since=since, newest=True)
    hits = [_hit(one) for one in library.shelf(found, page)]
    return answer(json={"hits": hits, "nbPages": -(-len(found) // library.size)})


def _hit(post: Post) -> dict[str, Any]:
    words = {"comment_text": post["text"], "author": "ann", "_tags": ["comment"], "story_id": 1, "parent_id": 1}
    return {"objectID": str(post["id"]), "created_at_i": int(post["at"].timestamp()), **words}


def stack_exchange(library: Library, path: str, query: Query) -> HttpResponse:
    """Questions by their activity, oldest first; posts by their ids."""
    if path.startswith("/2.3/posts/"):
        asked = map(int, path.rpartition("/")[2].split(";"))
        return answer(json={"items": [{"post_id": one} for one in asked if one in library.posts]})
    found, page = library.listed("changed", since=at(query["min"])), int(query["page"])
    more = len(found) > page * library.size
    items = [_question(one) for one in library.shelf(found, page - 1)]
    return answer(json={"items": items, "has_more": more, "quota_remaining": 200})


def _question(post: Post) -> dict[str, Any]:
    times = {"creation_date": int(post["at"].timestamp()), "last_activity_date": int(post["changed"].timestamp())}
    edited = {"last_edit_date": int(post["changed"].timestamp())} if post["edited"] else {}
    owner = {"user_id": 7, "display_name": "Ann", "link": "https://stackoverflow.com/users/7/ann"}
    words = {"title": "What?", "body": post["text"], "link": f"https://stackoverflow.com/questions/{post['id']}/x"}
    return {"question_id": post["id"], "owner": owner, "tags": ["acme"], **words, **times, **edited}


def wordpress(library: Library, path: str, query: Query) -> HttpResponse:
    """Comments of a site by their time, oldest first; an error says that there is no such page."""
    if "include" in query:
        asked = map(int, query["include"].split(","))
        return answer(json=[_comment(library.posts[one]) for one in asked if one in library.posts])
    since = datetime.fromisoformat(query["after"])
    found, page = library.listed("at", since=since), int(query["page"])
    here = library.shelf(found, page - 1)
    if page > 1 and not here:
        return answer(400, {"code": "rest_comment_invalid_page_number", "message": "too large"})
    return answer(json=[_comment(one) for one in here])


def _comment(post: Post) -> dict[str, Any]:
    by = {"author": 7, "author_name": "Ann", "author_url": "", "parent": 0, "post": 5}
    words = {"content": {"rendered": post["text"]}, "link": "https://blog.example.com/hello/#comment"}
    date = post["at"].replace(tzinfo=None, microsecond=0).isoformat()
    return {"id": post["id"], "date_gmt": date, **by, **words}


def app_store(library: Library, path: str, query: Query) -> HttpResponse:
    """Reviews by their last change, newest first: a page in the path; none are no `entry`, and one is no list."""
    page = int(path.partition("page=")[2].partition("/")[0])
    entries = [_review(one) for one in library.shelf(library.listed("changed", newest=True), page - 1)]
    entry = {"entry": entries[0] if len(entries) == 1 else entries} if entries else {}
    return answer(content=json.dumps({"feed": entry}).encode())


def _review(post: Post) -> dict[str, Any]:
    author = {"uri": {"label": "https://itunes.apple.com/us/reviews/id1"}, "name": {"label": "ann"}}
    words = {"title": {"label": "So"}, "content": {"label": post["text"]}, "im:rating": {"label": "4"}}
    return {
        "id": {"label": str(post["id"])},
        "updated": {"label": post["changed"].isoformat()},
        "author": author,
        **words,
    }
