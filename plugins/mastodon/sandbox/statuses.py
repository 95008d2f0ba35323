"""What the look-alike holds: accounts, statuses, who is told of them; and how each looks as an entity of the API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

from hub.core.grammar.grapheme import graphemes
from hub.testkit.sandbox import Answer, Refused, Sandbox

Record = dict[str, Any]
PEOPLE: Sequence[tuple[str, str, int, str]] = (
    ("ann", "Ann Adler", 214, "Bread, bikes, and a cat."),
    ("ben", "Ben Okoro", 1_380, "I fix things for a living."),
    ("chiara", "Chiara Conti", 25_400, "Writes about money. Half of the town reads it."),
    ("dario", "Dario Diaz", 36, "New here."),
)
_MENTION = re.compile(r"(?<![\w/@])@(\w+)(?:@([\w.-]*\w(?::\d+)?))?")
_TAG = re.compile(r"(?<![\w&/])#(\w*[^\W\d]\w*)")
_LINK = re.compile(r"https?://[^\s<]*[\w/]")
_OPEN = frozenset(("public", "unlisted"))
_HIDDEN = 7  # of a link's beginning: "https://" is there, and not shown


class Statuses(Sandbox):
    """The instance's memory."""

    title = "Mastodon"

    def seed(self) -> None:
        """Make the brand and a few people, who have said nothing yet."""
        brand = (self.brand, self.brand.capitalize(), 5_200, "A bank in an app. We answer here.")
        for name, shown, followers, note in (brand, *PEOPLE):
            account = {"username": name, "display_name": shown, "followers": followers, "note": note}
            self.store.put("account", name, {**account, "id": str(109_000_000 + sum(name.encode()))})

    @property
    def brand(self) -> str:
        """The user name of the account that the token belongs to."""
        return str(self.options.extra.get("brand", "pennywren"))

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return a name, or who said what."""
        return str(record.get("display_name") or f"{record.get('account')}: {record.get('text', '')}")[:160]

    # ----------------------------------------------------------------------------------------------------------- writing

    def say(self, name: str, text: str, *, parent: str | None = None, visibility: str = "public") -> str:
        """Say something as one of the accounts and return its id; those that it mentions are told."""
        self._check(text)
        number = int(self.store.next_id("status"))
        id_ = str((int(self.now().timestamp() * 1000) << 16) | (number & 0xFFFF))
        status: Record = {"account": name, "text": text, "visibility": visibility, "in_reply_to_id": parent}
        status |= {"created_at": self._stamp(), "edited_at": None, "uri": f"{self.url}/users/{name}/statuses/{id_}"}
        self.store.insert("status", id_, status)
        self.journal.record("create", "status", id_, fields=status)
        self._notify(id_, self.mentioned(text))
        return id_

    def edit(self, id_: str, text: str) -> None:
        """Give a status other words."""
        self._check(text)
        before = self.mentioned(self.existing(id_)["text"])
        self.store.update("status", id_, {"text": text, "edited_at": self._stamp()})
        self.journal.record("update", "status", id_, fields={"text": text})
        self._notify(id_, [name for name in self.mentioned(text) if name not in before])

    def take_back(self, id_: str) -> None:
        """Delete a status: answers to it stay, and name no parent any more."""
        self.existing(id_)
        self.store.remove("status", id_)
        for other, status in self.store.all("status"):
            if status["in_reply_to_id"] == id_:
                self.store.update("status", other, {"in_reply_to_id": None})
        for number, told in self.store.all("_notification"):
            if told["status"] == id_:
                self.store.remove("_notification", number)
        self.journal.record("delete", "status", id_)

    def _check(self, text: str) -> None:
        most = int(self.options.extra.get("most_characters", 500))
        if not text.strip():
            raise Refused(Answer(422, {"error": "Validation failed: Text can't be blank"}))
        # Mastodon's StatusLengthValidator counts grapheme clusters.
        if graphemes(_LINK.sub("x" * 23, _MENTION.sub(r"@\1", text))) > most:
            raise Refused(Answer(422, {"error": f"Validation failed: Text character limit of {most} exceeded"}))

    def _notify(self, id_: str, names: Iterable[str]) -> None:
        author = self.existing(id_)["account"]
        for name in names:
            if name != author:
                number = f"{int(self.store.next_id('_notification')):012d}"
                told = {"to": name, "status": id_, "created_at": self._stamp()}
                self.store.insert("_notification", number, told)

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.now().microsecond // 1000:03d}Z"

    # ----------------------------------------------------------------------------------------------------------- reading

    def existing(self, id_: str) -> Record:
        """Return a status; refuse one that is not there."""
        if (status := self.store.get("status", id_)) is None:
            raise Refused(Answer(404, {"error": "Record not found"}))
        return status

    def mentioned(self, text: str) -> list[str]:
        """Return the accounts of this instance that a text mentions."""
        names = [name.lower() for name, host in _MENTION.findall(text) if host in ("", self.host)]
        return [name for name in dict.fromkeys(names) if self.store.get("account", name)]

    @property
    def host(self) -> str:
        """The instance's own part of an address."""
        return urlsplit(self.url).netloc

    def is_visible(self, status: Mapping[str, Any], to: str) -> bool:
        """Return True if an account may see a status; a suspended one's are hidden."""
        if (self.store.get("account", status["account"]) or {}).get("suspended"):
            return False
        return status["visibility"] in _OPEN or to in (status["account"], *self.mentioned(status["text"]))

    def newest(self, to: str) -> list[tuple[str, Record]]:
        """Return all that an account may see, newest first."""
        found = [(id_, one) for id_, one in self.store.all("status") if self.is_visible(one, to)]
        return sorted(found, key=lambda pair: int(pair[0]), reverse=True)

    # ---------------------------------------------------------------------------------------------------------- entities

    def account(self, name: str) -> Record:
        """Return an Account."""
        held = self.store.get("account", name) or {}
        home = f"{self.url}/@{name}"
        entity = {"id": held["id"], "username": name, "acct": name, "display_name": held["display_name"]}
        entity |= {
            "url": home,
            "uri": f"{self.url}/users/{name}",
            "note": f"<p>{escape(held['note'])}</p>",
            "bot": False,
        }
        entity |= {
            "followers_count": held["followers"],
            "following_count": 40,
            "locked": False,
            "emojis": [],
            "fields": [],
        }
        return entity | ({"suspended": True} if held.get("suspended") else {})

    def entity(self, id_: str, status: Mapping[str, Any]) -> Record:
        """Return a Status."""
        parent = self.store.get("status", status["in_reply_to_id"] or "")
        answered = self.account(parent["account"])["id"] if parent else None
        answers = sum(one["in_reply_to_id"] == id_ for _, one in self.store.all("status"))
        text, name = status["text"], status["account"]
        return {
            "id": id_,
            "uri": status["uri"],
            "url": f"{self.url}/@{name}/{id_}",
            "created_at": status["created_at"],
            "edited_at": status["edited_at"],
            "in_reply_to_id": status["in_reply_to_id"],
            "in_reply_to_account_id": answered,
            "visibility": status["visibility"],
            "language": None,
            "sensitive": False,
            "spoiler_text": "",
            "content": self.html(text),
            "account": self.account(name),
            "mentions": [_brief(self.account(one)) for one in self.mentioned(text)],
            "tags": [{"name": tag.lower(), "url": f"{self.url}/tags/{tag.lower()}"} for tag in tags_of(text)],
            "media_attachments": [],
            "reblog": None,
            "poll": None,
            "card": None,
            "replies_count": answers,
            "reblogs_count": 0,
            "favourites_count": int(bool(status.get("favourited"))),
            "favourited": bool(status.get("favourited")),
        }

    def html(self, text: str) -> str:
        """Write it as Mastodon does: a mention by its local part, a link with its scheme hidden."""
        return "".join(f"<p>{self._line(part)}</p>" for part in re.split(r"\n{2,}", text.strip()))

    def _line(self, text: str) -> str:
        found = re.compile(f"{_LINK.pattern}|{_MENTION.pattern}|{_TAG.pattern}")
        parts, end = [], 0
        for match in found.finditer(text):
            parts += [escape(text[end : match.start()]), self._marked(match)]
            end = match.end()
        return "".join((*parts, escape(text[end:]))).replace("\n", "<br />")

    def _marked(self, match: re.Match[str]) -> str:
        word = escape(match[0])
        if word.startswith("http"):
            cut = word.index("//") + 2
            return f'<a href="{word}"><span class="invisible">{word[:cut]}</span><span>{word[cut:]}</span></a>'
        if word.startswith("#"):
            return f'<a href="{self.url}/tags/{word[1:].lower()}" class="mention hashtag">#<span>{word[1:]}</span></a>'
        if not self.mentioned(match[0]):
            return word
        name = escape(match[1])
        return (
            f'<span class="h-card"><a href="{self.url}/@{name}" class="u-url mention">@<span>{name}</span></a></span>'
        )


def tags_of(text: str) -> list[str]:
    """Return the hashtags in a text."""
    return list(dict.fromkeys(_TAG.findall(text)))


def _brief(account: Mapping[str, Any]) -> Record:
    return {name: account[name] for name in ("id", "username", "acct", "url")}


def moment(stamp: str) -> datetime:
    """Return a status's time."""
    return datetime.fromisoformat(stamp)
