"""How a deleted post leaves Zendesk: records deleted, comments made black, and copies of its words elsewhere with them.

Redaction is permanent and works on closed tickets too; a changed field is none, as the ticket's history keeps the old value
(Zendesk docs, "Redact Ticket Comment In Agent Workspace", "Ticket Audits").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from html import escape, unescape

from hub import ConnectorError, Delivery, Outcome, Rejected, Retryable
from hub.core.grammar.words import gist
from hub.sdk.batches import one_by_one
from hub.sdk.desk import STEPS
from hub.sdk.doc import Doc
from hub.sdk.text import html_to_text
from plugins.zendesk.client import ZendeskClient
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.records import ZendeskRecords
from plugins.zendesk.tickets import ZendeskDesk
from plugins.zendesk.users import Requesters

FOOT = "—"  # a line of its own: what stands below it is the hub's, not the author's
NEUTRAL = "Deleted post"
SHORTEST = 8  # characters of a line that is in another comment hardly by chance
SHOWN = 40  # characters of a name in the subjects of the mappings that ship
_BLACK = "▇"
_TAG = re.compile(r"(<[^<>]*>)")
_PIECE = re.compile(r"\w+|\W")
_BETWEEN = r"(?:<[^<>]*>)*"  # a link may begin or end within a passage
_LINKED = re.compile(r"^<(?:a|img)\b", re.IGNORECASE)
_NAMED = re.compile(
    r"^Author: (?P<name>.*?)(?: \((?P<handle>[^()\s]+)\))?(?:, [\d,]+ (?:follower|signal)s?\b.*)?$", re.MULTILINE
)
_TICKET_PAGE = re.compile(r"/agent/tickets/(\d+)$")

Comment = Doc


class Eraser:
    """Tombstones, for the length of a call."""

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        self._client = client
        self._options = options
        self._records = ZendeskRecords(client, options, pause)
        self._requesters = Requesters(client, options, pause)
        self._tickets = ZendeskDesk(client, options, pause)

    def erase(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Erase what each delivery's `fields["operation"]` made; doing it again does no harm."""
        kinds: dict[str, list[Delivery]] = {}
        for one in batch:
            kinds.setdefault(str(one.fields.get("operation")), []).append(one)
        records, people = kinds.pop("upsert", []), kinds.pop("author", [])
        said = [one for rest in kinds.values() for one in rest]
        return [*self._delete(records), *self._forget(people), *one_by_one(said, self._erase_said)]

    # --------------------------------------------------------------------------------------------------------- records

    def _delete(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Delete records and, if one was an author, take the name of the user who asked for the tickets."""
        if not batch:
            return []
        keys = list(dict.fromkeys(one.record_key for one in batch))
        left: Mapping[str, ConnectorError] = self._records.delete(batch[0].object, keys)
        self._requesters.forget_names(keys)
        failed = [(one, left.get(one.record_key)) for one in batch]
        return [Outcome.failed(one, error) if error else Outcome.delivered(one, one.ref) for one, error in failed]

    def _forget(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Take the names of users who asked for tickets, also where their authors have no record."""
        if batch:
            self._requesters.forget_names(list(dict.fromkeys(one.record_key for one in batch)))
        return [Outcome.delivered(one) for one in batch]

    # -------------------------------------------------------------------------------------------------------- comments

    def _erase_said(self, delivery: Delivery) -> Outcome:
        ticket_id, comment_id = _place_of(delivery)
        try:
            done = self._erase_comment(ticket_id, comment_id)
        except Rejected as error:
            if error.details.get("status") != 404:
                raise
            done = []  # the ticket is gone, and everything in it
        return Outcome(delivery.id, ref=delivery.ref, response={"erased": done})

    def _erase_comment(self, ticket_id: str, comment_id: str | None) -> list[str]:
        """Redact a comment (None: the ticket's first) and its words wherever else they stand; gives what was redacted.

        The comment itself goes last: after a failure its words still tell what to look for.
        """
        here = self._tickets.comments(ticket_id)
        comment = next((one for one in here if comment_id in (None, one.id("id"))), None)
        if comment is None:
            raise Rejected(f"ticket {ticket_id} has no such comment", code="comment")
        passages = passages_of(plain(comment))
        copies = [(ticket_id, one) for one in here if one is not comment] + self._further(ticket_id)
        done = [self._redact_copy(place, one, passages) for place, one in copies if holds(plain(one), passages)]
        subject = self._clear_subjects(ticket_id, plain(comment)) if comment_id is None else _Subject.CLEAN
        if subject is _Subject.DELETED:
            return done
        if not is_black(plain(comment)):
            self._redact(ticket_id, comment, blacken(html_of(comment)))
            self._assert_gone(ticket_id, comment, lambda now: is_black(plain(now)))
        if subject is _Subject.KEPT:
            raise _kept()
        return [*done, comment.id("id")]

    def _further(self, ticket_id: str) -> list[tuple[str, Comment]]:
        """Return the comments of the tickets where this one went on: a merge copies the last comment into the winner."""
        found: list[tuple[str, Comment]] = []
        for _ in range(STEPS):
            further = self._tickets.next_of(ticket_id)
            if further is None:
                break
            ticket_id = further
            found += [(ticket_id, one) for one in self._tickets.comments(ticket_id)]
        return found

    def _redact_copy(self, ticket_id: str, comment: Comment, passages: Sequence[str]) -> str:
        self._redact(ticket_id, comment, blacken_passages(html_of(comment), passages), passages)
        self._assert_gone(ticket_id, comment, lambda now: not holds(f"{plain(now)} {unescape(html_of(now))}", passages))
        return comment.id("id")

    def _redact(self, ticket_id: str, comment: Comment, html: str, passages: Sequence[str] = ()) -> None:
        """Redact as marked in the HTML; string by string where the account has no Agent Workspace."""
        try:
            body = {"ticket_id": int(ticket_id), "html_body": html}
            self._client.put(f"comment_redactions/{comment.id('id')}", body)
        except Rejected as error:
            if error.details.get("status") not in (403, 404):
                raise
            lines = passages or [line.strip() for line in plain(comment).splitlines() if line.strip()]
            for line in lines:
                self._client.put(f"tickets/{ticket_id}/comments/{comment.id('id')}/redact", {"text": line})

    def _assert_gone(self, ticket_id: str, comment: Comment, is_clean: Callable[[Comment], bool]) -> None:
        """Read back: no word of the post may be left."""
        now = next((one for one in self._tickets.comments(ticket_id) if one.id("id") == comment.id("id")), Doc({}))
        if not is_clean(now):
            raise Retryable("the words are still there after the redaction", retry_after=60, code="not_redacted")

    # --------------------------------------------------------------------------------------------------------- subject

    def _clear_subjects(self, ticket_id: str, text: str) -> _Subject:
        """See to the subjects of the tickets where this one went on, which a follow-up takes along, and to its own last.

        Raises Rejected as `_clear_subject`: its words still tell what to look for.
        """
        found, further = _Subject.CLEAN, ticket_id
        for _ in range(STEPS):
            following = self._tickets.next_of(further)
            if following is None:
                break
            further = following
            found = max(found, self._clear_subject(further, text, may_delete=False), key=_WORST.index)
        return max(found, self._clear_subject(ticket_id, text), key=_WORST.index)

    def _clear_subject(self, ticket_id: str, text: str, *, may_delete: bool = True) -> _Subject:
        """See to a subject that holds words of the post, or held them before: its old value stays in the history for ever.

        Nothing less than deleting the ticket removes that. Raises Rejected if the ticket is closed and must stay.
        """
        ticket = self._client.get(f"tickets/{ticket_id}").doc("ticket")
        subject = ticket.text("subject") or ""
        if subject != NEUTRAL and not (shares_words(subject, author_text(text)) or names(subject, text)):
            return _Subject.CLEAN
        if self._options.delete_tickets_to_erase and may_delete:
            self._client.delete(f"tickets/{ticket_id}")
            self._client.delete(f"deleted_tickets/{ticket_id}")
            return _Subject.DELETED
        if ticket.get("status") == "closed":
            raise _kept()
        if subject != NEUTRAL:
            self._client.put(f"tickets/{ticket_id}", {"ticket": {"subject": NEUTRAL}})
        return _Subject.KEPT


class _Subject(Enum):
    """What became of the words in a ticket's subject."""

    CLEAN = "none are there"
    KEPT = "the history keeps them"
    DELETED = "they went with the ticket"


_WORST = (_Subject.CLEAN, _Subject.KEPT, _Subject.DELETED)


def _kept() -> Rejected:
    said = (
        "the ticket's subject held words of the post, or its author's name, and its history keeps them: delete the ticket for"
        " good, or allow it by delete_tickets_to_erase"
    )
    return Rejected(said, field="subject", code="history")


def _place_of(delivery: Delivery) -> tuple[str, str | None]:
    """Return `(ticket, comment)` of what was said, None for the ticket's first comment. Raises Rejected if it is not known."""
    if delivery.ref is None:
        raise Rejected("it is not known which record this was", field="ref")
    if delivery.fields.get("operation") == "create":
        return delivery.ref.id, None
    # The comment's own page tells best: the conversation may have gone on in another ticket since.
    found = _TICKET_PAGE.search(delivery.ref.url or "")
    parent = delivery.parents.get("conversation")
    if found is None and parent is None:
        raise Rejected("a comment needs the ticket of its conversation", field="conversation")
    ticket_id = found[1] if found else parent.id if parent else ""
    # A follow-up that was opened with the post and named no comment.
    return ticket_id, None if delivery.ref.id == ticket_id else delivery.ref.id


# --------------------------------------------------------------------------------------------------------------- words


def plain(comment: Comment) -> str:
    """Return a comment's text."""
    return comment.exact("plain_body") or comment.exact("body") or ""


def html_of(comment: Comment) -> str:
    """Return a comment's HTML, made from its text where it has none."""
    return comment.exact("html_body") or escape(plain(comment), quote=False)


def author_text(text: str) -> str:
    """Return the author's part of a comment that we wrote: what stands above the foot."""
    return text.rsplit(f"\n{FOOT}\n", maxsplit=1)[0].strip()


def passages_of(text: str) -> list[str]:
    """Return what shows that the post was copied into another comment: each line too long to be there by chance."""
    lines = (line.strip() for line in author_text(text).splitlines())
    return list(dict.fromkeys(line for line in lines if len(line) >= SHORTEST and not is_black(line)))


def holds(text: str, passages: Iterable[str]) -> bool:
    """Return True if a text holds one of the passages."""
    return any(passage in text for passage in passages)


def shares_words(subject: str, text: str) -> bool:
    """Return True if a subject, which may be cut, holds three words in a row of a line (or all of a shorter one)."""
    said = f" {' '.join(subject.split())} "
    for words in filter(None, (line.split() for line in text.splitlines())):
        runs = (words[start : start + 3] for start in range(max(1, len(words) - 2)))
        if any(f" {' '.join(run)} " in said for run in runs):
            return True
    return False


def names(subject: str, text: str) -> bool:
    """Return True if a subject, which may be cut, holds the name or the handle that stand below a comment's foot."""
    found = _NAMED.search(text.rsplit(f"\n{FOOT}\n", maxsplit=1)[-1]) if f"\n{FOOT}\n" in text else None
    if found is None:
        return False
    told = (one.strip() for one in found.group("name", "handle") if one)
    shown = (form for one in told for form in (one, gist(one, SHOWN).removesuffix("…")))
    return any(one and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", subject) for one in shown)


def is_black(text: str) -> bool:
    """Return True if nothing is left of a text."""
    return not text.replace(_BLACK, "").strip()


def blacken(html: str) -> str:
    """Return the HTML with all its text, links and pictures marked for redaction."""
    return "".join(_mark(part) for part in _TAG.split(html))


def blacken_passages(html: str, passages: Sequence[str]) -> str:
    """Return the HTML with these passages marked for redaction, and the links that hold one or stand within one."""
    written = sorted((escape(one, quote=False) for one in passages), key=len, reverse=True)
    said = "|".join(_BETWEEN.join(map(re.escape, _PIECE.findall(one))) for one in written)

    def mark(found: re.Match[str]) -> str:
        if not found[1]:
            return "".join(map(_mark, _TAG.split(found[0])))
        return _mark(found[1]) if any(one in found[1] for one in written) else found[1]

    return re.sub(f"{_TAG.pattern}|{said}", mark, html)


def _mark(part: str) -> str:
    if part.startswith("<"):
        return f"{part[:-1].rstrip('/ ')} redact>" if _LINKED.match(part) else part
    return f"<redact>{part}</redact>" if html_to_text(part).strip() else part
