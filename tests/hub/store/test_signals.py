"""Signals, labels, authors and tombstones."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from hub.core.decide.judgement import Judged
from hub.core.decide.trace import Trace
from hub.core.errors import Conflict
from hub.core.model import Author, Counts, Label, Media, Signal, Tombstone
from hub.core.signals import Stats
from hub.store import Store
from hub.store.inbox import Settled
from hub.store.signals import SignalFilter
from tests.hub.store.given import HOSTILE, LATER, MENDED, NOON, author, judged, raw, signal
from tests.hubs import raw_of


def add(store: Store, *given: Signal | Judged) -> None:
    with store.database.write() as conn:
        store.signals.add(conn, [one if isinstance(one, Judged) else judged(one) for one in given])


def mood(value: str, score: float | None, **more: object) -> Label:
    return Label("sentiment", value, "m", score, 0.9, "1", **more)  # type: ignore[arg-type]  # passed through


def test_a_signal_comes_back_as_it_was_given(store: Store) -> None:
    given = signal(counts=Counts(likes=3), media=(Media("image", "https://x/a.png"),), hashtags=("a", "ä"), text="Ä 🎉")
    add(store, Judged(given, [mood("positive", 0.5)], Trace("v"), matched=True))
    row = store.signals.get("rss:1")
    assert row is not None
    assert (row["signal"], row["labels"], row["trace"]) == (given, [mood("positive", 0.5)], Trace("v"))


def test_a_batch_with_a_signal_that_is_there_already_is_not_added(store: Store) -> None:
    add(store, signal())
    with pytest.raises(Conflict):
        add(store, signal(text="other"), signal("rss:2"))
    assert [row["signal"].text for row in store.signals.recent()] == ["acme"]


@pytest.mark.parametrize("field", ["native_id", "realm", "revision", "text", "lang"])
def test_nul_and_half_surrogates_do_not_stop_a_batch(store: Store, field: str) -> None:
    add(store, signal(**{field: HOSTILE}), signal("rss:2"))
    row = store.signals.get("rss:1")
    assert row is not None
    assert getattr(row["signal"], field).replace("\x00", "\ufffd") == MENDED


def test_a_hostile_mention_and_trace_are_kept_mended(store: Store) -> None:
    add(store, Judged(signal(mentions=(HOSTILE,)), [], Trace(notes=(HOSTILE,)), matched=False))
    row = store.signals.get("rss:1")
    assert row is not None
    assert (row["signal"].mentions, row["trace"]) == ((MENDED,), Trace(notes=(MENDED,)))


@pytest.mark.parametrize("field", ["name", "value", "model", "version"])
def test_a_label_of_any_length_and_letters_is_kept(store: Store, field: str) -> None:
    values = {"name": "n", "value": "v", "model": "m", field: "x" * 300 + HOSTILE}
    add(store, judged(signal(), Label(**values)))
    (label,) = store.signals.get("rss:1")["labels"]  # type: ignore[index]  # it is there
    assert getattr(label, field) == "x" * 300 + MENDED


def test_a_revision_replaces_content_and_models_labels_and_keeps_a_persons(store: Store) -> None:
    persons = mood("negative", -1.0, by="person")
    add(store, judged(signal(), Label("sentiment", "positive", "model"), Label("old", "x", "model"), persons))
    with store.database.write() as conn:
        store.signals.revise(conn, [judged(signal(text="new"), Label("sentiment", "neutral", "model"))])
    row = store.signals.get("rss:1")
    assert row is not None
    assert row["signal"].text == "new"
    assert sorted((one.name, one.value) for one in row["labels"]) == [
        ("sentiment", "negative"),
        ("sentiment", "neutral"),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("rss:1", "rss:1"),
        ("rss:12", "rss:12"),
        ("rss:2", "rss:20"),
        ("rss", None),
        ("rss:9", None),
        ("rss:_", None),
        ("%", None),
    ],
)
def test_a_signal_is_found_by_its_key_or_an_unambiguous_beginning(store: Store, asked: str, found: str | None) -> None:
    add(store, signal("rss:1"), signal("rss:12"), signal("rss:20"))
    row = store.signals.get(asked)
    assert (row and row["key"]) == found


@pytest.mark.parametrize("asked", [HOSTILE, "\x00", "\ud800"])
def test_a_hostile_question_finds_nothing_and_breaks_nothing(store: Store, asked: str) -> None:
    add(store, signal())
    assert store.signals.get(asked) is None
    assert store.signals.recent(network=asked) == []
    assert store.signals.page(SignalFilter(text=asked)) == []
    assert store.outbox.recent(state=asked) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (SignalFilter(), ["c", "b", "a"]),
        (SignalFilter(network="rss"), ["b", "a"]),
        (SignalFilter(matched=True), ["c"]),
        (SignalFilter(sentiment="positive"), ["a"]),
        (SignalFilter(sentiment="uncertain", unsure_below=0.95), ["a"]),
        (SignalFilter(text='say "ä"'), ["b"]),
        (SignalFilter(text="100%"), []),
        (SignalFilter(text="ACME"), ["c", "a"]),
    ],
)
def test_a_page_holds_what_is_wanted(store: Store, wanted: SignalFilter, found: list[str]) -> None:
    add(store, judged(signal("a"), mood("positive", 1.0)), signal("b", text='say "ä" 100'))
    add(store, Judged(signal("c", network="lines"), [], Trace(), matched=True))
    assert [row["key"] for row in store.signals.page(wanted)] == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("bad", ["a"]),
        ("BAD", ["a"]),
        ("headline", ["b"]),
        ("ana", ["a"]),
        ("Ana Lima", ["a"]),
        ("author_key", []),
        ("provenance", []),
        ("rss", []),
        ("<p>", []),
        ("2026", []),
        ("100%", ["c"]),
        ("1_0", []),
        ("100", ["c"]),
        ("%", ["c"]),
        ("_", ["d"]),
        ("under_score", ["d"]),
        ("back\\slash", ["d"]),
        ('"quoted"', ["d"]),
        ("line\nbreak", ["d"]),
    ],
)
def test_a_search_looks_at_texts_and_names_and_at_nothing_else(store: Store, asked: str, found: list[str]) -> None:
    bad = signal("a", text="acme is bad", html="<p>acme is bad</p>", author_key="rss:ana")
    odd = signal("d", text='under_score back\\slash "quoted" line\nbreak')
    add(store, bad, signal("b", text="x", title="A headline"), signal("c", text="it is 100% good"), odd)
    names = {"handle": "ana@example.org", "display_name": "Ana Lima", "url": "https://headline.example"}
    meet(store, Author("rss:ana", "rss", "1", **names))
    assert [row["key"] for row in store.signals.page(SignalFilter(text=asked))] == found


# ------------------------------------------------------------------------------------------------------------- authors


def meet(store: Store, *people: object, now: object = NOON) -> None:
    with store.database.write() as conn:
        store.signals.meet(conn, people, now=now)  # type: ignore[arg-type]  # passed through


def known(store: Store, key: str = "rss:ada") -> object:
    with store.database.read() as conn:
        return store.signals.authors(conn, [key]).get(key)


def test_an_author_keeps_the_handles_of_before(store: Store) -> None:
    for handle in ("ada", "ada.l", "ada.l", "lovelace"):
        meet(store, author(handle=handle))
    assert known(store) == author(handle="lovelace", handle_history=("ada", "ada.l"))


@pytest.mark.parametrize("handle", [HOSTILE, "x" * 9000])
def test_a_handle_of_any_kind_is_kept(store: Store, handle: str) -> None:
    meet(store, author(handle=handle))
    assert getattr(known(store), "handle").replace("\x00", "\ufffd") == handle.replace(HOSTILE, MENDED)  # noqa: B009 - of any kind


def test_two_batches_that_meet_the_same_people_in_other_orders_never_lock_each_other_out(postgres_store: Store) -> None:
    people = [author(f"rss:{number}") for number in range(40)]
    failed: list[Exception] = []

    def work(ordered: list[object]) -> None:
        try:
            for _ in range(15):
                meet(postgres_store, *ordered)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in (people, people[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_stats_of_an_author_count_the_month_and_the_scored_ones(store: Store) -> None:
    old = signal("rss:0", published_at=NOON - timedelta(days=31))
    add(store, judged(old, mood("positive", 1.0)), judged(signal("rss:1"), mood("negative", -0.5)), signal("rss:2"))
    with store.database.read() as conn:
        found = store.signals.stats(conn, ["rss:ada", "rss:bo"], since=NOON - timedelta(days=30))
    assert found == {"rss:ada": Stats(2, 1, -0.5)}


def test_the_trend_is_how_much_the_later_half_lies_above_the_earlier(store: Store) -> None:
    late, month = NOON - timedelta(days=15), NOON - timedelta(days=30)
    for number, (days, score) in enumerate([(20, -1.0), (16, 0.0), (15, 0.0), (1, 1.0), (40, 1.0)]):
        said = signal(f"rss:{number}", published_at=NOON - timedelta(days=days))
        add(store, judged(said, mood("neutral", score)))
    with store.database.read() as conn:
        found = store.signals.stats(conn, ["rss:ada"], since=month, late=late)["rss:ada"]
    assert (found, found.trend) == (Stats(4, 4, 0.0, 2, 1.0), 1.0)


@pytest.mark.parametrize("stats", [Stats(), Stats(3, 2, 1.0), Stats(3, 2, 1.0, 2, 1.0), Stats(1, 0, 0.0, 0, 0.0)])
def test_there_is_no_trend_without_two_scored_halves(stats: Stats) -> None:
    assert stats.trend is None


def test_one_signal_more_counts_in_its_own_half() -> None:
    stats = Stats().plus(-1.0, late=False).plus(0.5).plus(None)
    assert (stats, stats.trend) == (Stats(3, 2, -0.5, 1, 0.5), 1.5)


# ------------------------------------------------------------------------------------------------ raw rows, tombstones


def stored(store: Store, number: int) -> int:
    """A raw row that is done; returns its id."""
    store.inbox.add([raw(number)])
    token, (row,) = store.inbox.claim(limit=1, now=NOON)
    with store.database.write() as conn:
        store.inbox.settle(conn, token, [Settled(row.id, "done")])
    return row.id


def test_a_repeat_takes_the_place_of_the_older_raw_row(store: Store) -> None:
    old, new = stored(store, 1), stored(store, 2)
    add(store, from_row(signal(), old))
    with store.database.write() as conn:
        store.signals.refresh(conn, {"rss:1": new})
    assert (raw_of(store, "rss:1"), store.inbox.get([old])) == (b"item 2", {})


def from_row(one: Signal, number: int) -> Signal:
    from msgspec.structs import replace

    from hub.core.model import Provenance

    return replace(one, provenance=Provenance("news", "rss", number))


def test_a_raw_row_that_another_signal_came_from_too_stays(store: Store) -> None:
    """A repost holds its original: only the original comes again, with new counts."""
    old, new = stored(store, 1), stored(store, 2)
    add(store, from_row(signal("rss:original"), old), from_row(signal("rss:repost"), old))
    with store.database.write() as conn:
        store.signals.refresh(conn, {"rss:original": new})
    assert (raw_of(store, "rss:original"), raw_of(store, "rss:repost")) == (b"item 2", b"item 1")


def test_a_tombstone_marks_its_signal_and_stays_where_there_is_none(store: Store) -> None:
    add(store, signal())
    with store.database.write() as conn:
        store.signals.bury(conn, [Tombstone(key, "user_deleted", LATER) for key in ("rss:1", "rss:never")] * 2)
    with store.database.read() as conn:
        assert store.signals.tombstoned(conn, ["rss:1", "rss:2", "rss:never"]) == {"rss:1", "rss:never"}
    assert store.signals.recent(state="deleted")[0]["key"] == "rss:1"
