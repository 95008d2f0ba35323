"""People, links with their ground, merges; and the audit log."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from hub.core.model import IdentityLink, Person
from hub.store import Store
from hub.store.audit import AuditEntry
from hub.store.people import NotLinked
from tests.hub.store.given import HOSTILE, LATER, MENDED, NOON


def link(author: str, person: Person, **changes: Any) -> IdentityLink:
    values: dict[str, Any] = {"basis": "given_by_person", "evidence": "ticket 7", "by": "kim", "at": NOON}
    return IdentityLink(author, person.key, **values | changes)


def behind(store: Store, *authors: str) -> dict[str, str]:
    with store.database.read() as conn:
        return {author: person.key for author, person in store.people.behind(conn, authors).items()}


@pytest.fixture
def ada(store: Store) -> Person:
    return store.people.add("Ada", emails=("ada@example.com",), owner="kim", now=NOON)


def test_a_linked_author_is_a_person(store: Store, ada: Person) -> None:
    store.people.link(link("rss:ada", ada))
    assert behind(store, "rss:ada", "rss:bob") == {"rss:ada": ada.key}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"basis": ""}, "needs a basis"),
        ({"basis": "it looks alike"}, "needs a basis"),
        ({"evidence": "  "}, "needs evidence"),
        ({"by": ""}, "who makes it"),
        ({"confidence": 1.5}, "between 0 and 1"),
        ({"person_key": "person:nobody"}, "no person"),
    ],
)
def test_a_link_without_a_ground_is_refused(store: Store, ada: Person, changes: dict[str, Any], reason: str) -> None:
    whole = {
        "author_key": "rss:ada",
        "person_key": ada.key,
        "basis": "opt_in",
        "evidence": "e",
        "by": "kim",
        "at": NOON,
    }
    with pytest.raises(NotLinked, match=reason):
        store.people.link(IdentityLink(**whole | changes))
    assert behind(store, "rss:ada") == {}


def test_an_author_is_one_person_at_a_time(store: Store, ada: Person) -> None:
    other = store.people.add("Other", now=NOON)
    store.people.link(link("rss:ada", ada))
    with pytest.raises(NotLinked, match="linked already"):
        store.people.link(link("rss:ada", other))
    assert behind(store, "rss:ada") == {"rss:ada": ada.key}


def test_a_revoked_link_stays_as_history_and_makes_room(store: Store, ada: Person) -> None:
    store.people.link(link("rss:ada", ada))
    store.people.unlink("rss:ada", now=LATER)
    with pytest.raises(NotLinked, match="linked to no person"):
        store.people.unlink("rss:ada", now=LATER)
    assert behind(store, "rss:ada") == {}
    store.people.link(link("rss:ada", ada, basis="opt_in"))
    found = store.people.links_of(author_key="rss:ada")
    assert [(one.basis, one.revoked_at) for one in found] == [("given_by_person", LATER), ("opt_in", None)]


def test_a_merge_is_followed_and_can_be_undone(store: Store, ada: Person) -> None:
    twin, third = store.people.add("Ada L.", now=NOON), store.people.add("A. L.", now=NOON)
    store.people.link(link("rss:a", twin))
    store.people.link(link("rss:b", third))
    store.people.merge(third.key, twin.key)
    store.people.merge(twin.key, ada.key)
    assert behind(store, "rss:a", "rss:b") == {"rss:a": ada.key, "rss:b": ada.key}
    with store.database.read() as conn:
        assert store.people.families(conn, [ada.key]) == {ada.key: ["rss:a", "rss:b"]}
    assert store.people.unmerge(twin.key) == ada.key
    assert behind(store, "rss:a", "rss:b") == {"rss:a": twin.key, "rss:b": twin.key}


def test_merges_never_run_in_a_circle(store: Store, ada: Person) -> None:
    twin = store.people.add("Ada L.", now=NOON)
    store.people.merge(twin.key, ada.key)
    for loser, winner in ((ada.key, twin.key), (ada.key, ada.key), (twin.key, ada.key), (ada.key, "person:nobody")):
        with pytest.raises(NotLinked):
            store.people.merge(loser, winner)


def test_two_merges_at_once_close_no_circle(store: Store, ada: Person) -> None:
    twin = store.people.add("Ada L.", now=NOON)
    refused: list[NotLinked] = []

    def work() -> None:
        try:
            store.people.merge(ada.key, twin.key)
        except NotLinked as error:
            refused.append(error)

    other = threading.Thread(target=work)
    with store.database.write() as conn:
        store.people.merge(twin.key, ada.key, conn=conn)
        other.start()
        other.join(0.2)
    other.join()
    assert (len(refused), store.people.recent()) == (1, [ada])


def test_a_person_is_found_by_the_beginning_of_the_key_where_it_is_the_only_one(store: Store, ada: Person) -> None:
    store.people.add("Bob", now=NOON)
    assert store.people.get(ada.key[:20]) == store.people.get(ada.key) == ada
    assert store.people.get("person:") is None
    assert store.people.get("person:%") is None


def test_of_many_that_link_one_author_at_once_one_does(store: Store, ada: Person) -> None:
    refused: list[NotLinked] = []

    def work() -> None:
        try:
            store.people.link(link("rss:ada", ada))
        except NotLinked as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), len(store.people.links_of(author_key="rss:ada"))) == (3, 1)


def test_hostile_names_and_evidence_are_kept_mended(store: Store) -> None:
    person = store.people.add(HOSTILE, now=NOON)
    store.people.link(link("rss:ada", person, evidence=HOSTILE))
    found = store.people.get(person.key)
    assert found is not None
    assert (found.display_name, store.people.links_of(person_key=person.key)[0].evidence) == (MENDED, MENDED)


def test_merged_people_are_not_listed(store: Store, ada: Person) -> None:
    store.people.merge(store.people.add("Twin", now=LATER).key, ada.key)
    assert store.people.recent() == [ada]


def test_the_audit_log_tells_the_newest_first(store: Store) -> None:
    with store.database.write() as conn:
        store.audit.note_in(conn, AuditEntry("link", "rss:ada", "kim", {"person": "person:1"}), now=NOON)
        store.audit.note_in(conn, AuditEntry("unlink", "rss:ada", "lee"), now=LATER)
    assert [(row["action"], row["actor"], row["at"]) for row in store.audit.recent()] == [
        ("unlink", "lee", LATER),
        ("link", "kim", NOON),
    ]
    assert [row["detail"] for row in store.audit.recent(action="link")] == [{"person": "person:1"}]
