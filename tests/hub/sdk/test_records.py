"""One row a key, a refused batch taken apart within its budget, people's records through merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import ConnectorError, RateLimited, Rejected, Retryable, Unauthorised, Unavailable, Uncertain
from hub.core.model import Delivery, RemoteRef
from hub.sdk.records import (
    HOPS,
    Landed,
    RecordRow,
    Result,
    Writer,
    follow_merges,
    is_spoilt,
    one_call_each,
    outcomes_of,
    rows_of,
)


def delivery(number: int, key: str = "", **changes: Any) -> Delivery:
    given_: dict[str, Any] = {"id": number, "destination": "crm", "object": "x", "operation": "upsert", "seq": 1}
    given_ |= {"record_key": key or f"k{number}", "key": f"d{number}", "fields": {"n": number}, "key_field": "key"}
    return Delivery(**{**given_, **changes})


def rows(count: int) -> list[RecordRow]:
    return rows_of(delivery(number) for number in range(count))


def refusal(status: int = 400) -> Rejected:
    return Rejected("the batch is refused", details={"status": status})


# ------------------------------------------------------------------------------------------------------- one row a key

SAME = [
    ("a later value replaces an earlier one", [{"a": 1}, {"a": 2}], [(), ()], {"a": 2}, set()),
    ("what only the earlier names stays", [{"a": 1, "b": 1}, {"a": 2}], [(), ()], {"a": 2, "b": 1}, set()),
    ("a fill changes nothing that is filled", [{"a": 1}, {"a": 2}], [(), ("a",)], {"a": 1}, set()),
    ("the first of two fills counts", [{"a": 1}, {"a": 2}], [("a",), ("a",)], {"a": 1}, {"a"}),
    ("a write goes over a fill", [{"a": 1}, {"a": 2}], [("a",), ()], {"a": 2}, set()),
    ("a fill fills what was emptied", [{"a": ""}, {"a": 2}], [(), ("a",)], {"a": 2}, set()),
    ("a fill of another field is its own", [{"a": 1}, {"b": 2}], [(), ("b", "c")], {"a": 1, "b": 2}, {"b"}),
]


@pytest.mark.parametrize(("fields", "once", "wanted", "fills"), [one[1:] for one in SAME], ids=[one[0] for one in SAME])
def test_of_two_deliveries_of_a_key(fields: Any, once: Any, wanted: dict[str, Any], fills: set[str]) -> None:
    batch = [delivery(n, "k", seq=n, fields=fields[n], once=once[n]) for n in (0, 1)]
    (row,) = rows_of(reversed(batch))
    assert (row.fields, row.once, row.deliveries) == (wanted, fills, tuple(batch))


NAMES = st.sampled_from("abc")


@given(st.lists(st.tuples(st.dictionaries(NAMES, st.sampled_from(["", "x", "y"])), st.sets(NAMES)), min_size=1))
def test_a_row_does_what_its_deliveries_would_do_one_after_the_other(
    steps: list[tuple[dict[str, str], set[str]]],
) -> None:
    for held in ({}, {"a": "held", "b": "held"}):
        one_by_one = dict(held)
        for fields, once in steps:
            filled = {name for name in once if one_by_one.get(name)}
            one_by_one |= {name: value for name, value in fields.items() if name not in filled}
        batch = [delivery(n, "k", fields=fields, once=tuple(once)) for n, (fields, once) in enumerate(steps)]
        (row,) = rows_of(batch)
        assert {**held, **row.filling(held).fields} == one_by_one


def test_one_key_in_two_fields_is_two_records_and_the_order_of_keys_stays() -> None:
    batch = [delivery(3, "b"), delivery(1, "a"), delivery(2, "b", key_field="other"), delivery(4, "b", seq=2)]
    assert [(row.key, row.key_field, row.trace) for row in rows_of(batch)] == [
        ("b", "key", "4"),
        ("a", "key", "1"),
        ("b", "other", "2"),
    ]


def test_a_row_knows_the_latest_reference_and_parents() -> None:
    first = delivery(1, "k", ref=RemoteRef("7"), parents={"author": RemoteRef("a1"), "company": RemoteRef("c1")})
    (row,) = rows_of([delivery(2, "k", seq=2, parents={"author": RemoteRef("a2")}), first])
    assert (row.id, row.parents) == ("7", {"author": RemoteRef("a2"), "company": RemoteRef("c1")})


# --------------------------------------------------------------------------------------------------------- taken apart


class Vendor:
    """Refuses a batch in which a bad row stands; `calls` are the sizes of the batches."""

    def __init__(self, *bad: int, **errors: ConnectorError | Exception) -> None:
        self.bad = {str(number) for number in bad}
        self.errors = errors
        self.calls: list[int] = []

    def __call__(self, part: Sequence[RecordRow]) -> Mapping[str, Result]:
        self.calls.append(len(part))
        for row in part:
            if error := self.errors.get(row.key):
                raise error
            if row.trace in self.bad:
                raise refusal()
        return {row.trace: Landed(f"id{row.trace}") for row in part}

    def write(self, count: int, **more: Any) -> dict[str, Result]:
        return Writer(one_call_each(self), **more).write(rows(count))


def failed(results: Mapping[str, Result]) -> dict[str, type]:
    return {trace: type(one) for trace, one in results.items() if isinstance(one, ConnectorError)}


def test_one_bad_record_fails_alone_and_costs_few_calls() -> None:
    vendor = Vendor(37)
    assert failed(vendor.write(100)) == {"37": Rejected}
    assert len(vendor.calls) <= 15


@given(st.sets(st.integers(0, 49), max_size=6), st.integers(1, 60))
def test_no_good_record_fails_for_a_bad_one(bad: set[int], size: int) -> None:
    results = Vendor(*bad).write(50, size=size, budget=1000)
    assert set(results) == {str(number) for number in range(50)}
    assert failed(results) == {str(number): Rejected for number in bad}


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_a_conflict_or_a_size_may_be_one_records_fault(status: int) -> None:
    assert is_spoilt(refusal(status))
    assert is_spoilt(Retryable("busy", details={"status": status}))


@pytest.mark.parametrize("error", [refusal(403), refusal(404), Uncertain("lost", details={"status": 400})])
def test_what_is_not_one_records_fault_is_everyones_of_its_part(error: ConnectorError) -> None:
    vendor = Vendor(k3=error)
    assert set(failed(vendor.write(10, size=5)).items()) == {(str(n), type(error)) for n in range(5)}
    assert vendor.calls == [5, 5]


def test_those_that_a_refusal_names_are_set_aside_and_the_others_go_at_once() -> None:
    vendor = Vendor(3, 8)
    named = {"3": Rejected("too long", field="a"), "8": Rejected("too long", field="b")}
    results = vendor.write(
        10, culprits=lambda _, part: {row.trace: named[row.trace] for row in part if row.trace in named}
    )
    assert failed(results) == {"3": Rejected, "8": Rejected}
    assert vendor.calls == [10, 8]


def test_what_the_budget_does_not_reach_may_come_again() -> None:
    vendor = Vendor(*range(0, 100, 7))
    results = vendor.write(100, budget=10)
    assert len(vendor.calls) <= 11
    assert set(failed(results).values()) <= {Rejected, Retryable}
    assert Retryable in failed(results).values()


def test_a_batch_that_is_bad_all_through_gets_on_with_each_attempt() -> None:
    vendor = Vendor(*range(100))
    found = failed(vendor.write(100, budget=30))
    assert len(vendor.calls) <= 31
    assert sum(one is Rejected for one in found.values()) >= 8


def test_a_refused_part_spends_nothing_of_anothers_budget() -> None:
    vendor = Vendor(*range(100), 150)
    assert failed(vendor.write(200, budget=20))["150"] is Rejected


@pytest.mark.parametrize("error", [RateLimited("slow"), Unauthorised("no"), Unavailable("down")])
def test_an_error_about_the_account_ends_the_sending_and_what_landed_stays(error: ConnectorError) -> None:
    vendor = Vendor(k5=error)
    results = vendor.write(15, size=5)
    assert failed(results) == {str(number): type(error) for number in range(5, 15)}
    assert vendor.calls == [5, 5]


def test_an_error_about_the_account_ends_the_search_for_bad_records_too() -> None:
    calls: list[int] = []

    def put(part: Sequence[RecordRow]) -> Mapping[str, Result]:
        calls.append(len(part))
        raise refusal() if len(part) == 10 else RateLimited("slow")

    assert set(failed(Writer(one_call_each(put)).write(rows(10))).values()) == {RateLimited}
    assert calls == [10, 5]


def test_a_doubt_and_a_bug_are_about_their_own_part_only() -> None:
    results = Vendor(k1=Uncertain("lost"), k4=KeyError("a bug")).write(9, size=3)
    assert failed(results) == {str(number): Uncertain for number in range(6)}


def test_what_the_answer_is_silent_about_is_in_doubt_and_the_others_landed() -> None:
    writer = Writer(one_call_each(lambda part: {row.trace: Landed("1") for row in part[:-1]}))
    assert failed(writer.write(rows(3))) == {"2": Uncertain}


def test_each_delivery_of_a_row_gets_the_rows_outcome() -> None:
    some = rows_of([delivery(1, "a"), delivery(2, "a"), delivery(3), delivery(4)])
    results: dict[str, Result] = {"2": Landed("77", new=True), "3": Rejected("no")}
    outcomes = outcomes_of(some, results, lambda row, landed: RemoteRef(f"{row.key}/{landed.id}"))
    assert [(one.delivery_id, one.ref and one.ref.id) for one in outcomes] == [
        (1, "a/77"),
        (2, "a/77"),
        (3, None),
        (4, None),
    ]
    assert [type(one.error) for one in outcomes[2:]] == [Rejected, Uncertain]


def test_a_record_without_a_name_is_a_doubt_and_one_without_a_reference_is_none() -> None:
    some = rows_of([delivery(1), delivery(2)])
    results: dict[str, Result] = {"1": Landed(), "2": Landed()}
    named, erased = outcomes_of(some, results, lambda row, _: RemoteRef("") if row.trace == "1" else None)
    assert (type(named.error), erased.error) == (Uncertain, None)


# -------------------------------------------------------------------------------------------------------------- merges


class People:
    """A vendor whose people merge records: `moved` maps an id to the winner's, None where it was deleted."""

    def __init__(self, **moved: str | ConnectorError | None) -> None:
        self.moved = moved
        self.written: list[list[str | None]] = []

    def write(self, some: Sequence[RecordRow]) -> dict[str, Result]:
        self.written.append([row.id for row in some])
        gone = Rejected("gone", code="GONE")
        return {row.trace: gone if row.id in self.moved else Landed(row.id) for row in some}

    def follow(self, *ids: str) -> tuple[dict[str, Result], list[RecordRow]]:
        some = rows_of(delivery(n, ref=RemoteRef(id_)) for n, id_ in enumerate(ids))
        return follow_merges(
            some,
            self.write,
            is_gone=lambda one: isinstance(one, Rejected) and one.code == "GONE",
            winners=lambda gone: {row.trace: self.moved[row.id or ""] for row in gone},
        )


def test_a_record_is_written_to_the_winner_of_its_merge() -> None:
    assert People(a="b", b="c").follow("a", "x") == ({"0": Landed("c"), "1": Landed("x")}, [])


def test_a_deleted_record_is_made_again_by_its_key() -> None:
    results, new = People(a=None).follow("a", "x")
    assert ([row.key for row in new], [row.id for row in new], results["1"]) == (["k0"], [None], Landed("x"))


def test_a_winner_that_is_not_known_yet_is_waited_for() -> None:
    wait = Retryable("the index lags")
    assert People(a=wait).follow("a") == ({"0": wait}, [])


def test_no_id_stands_twice_in_one_call() -> None:
    people = People(a="z")
    people.follow("a", "z", "z")
    assert people.written == [["a", "z"], ["z"], ["z"]]


def test_a_circle_of_merges_ends() -> None:
    people = People(a="b", b="a")
    results, _ = people.follow("a")
    assert (failed(results), len(people.written)) == ({"0": Unavailable}, HOPS)
