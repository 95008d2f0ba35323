"""What history costs: calls in batches, money by a table of prices, shares by rule and source, and a month of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hub.config.settings import PricesSection
from hub.core.errors import ConfigError
from hub.flow.history.book import candidate
from hub.flow.history.cost import Amount, Cost, Share, calls_of, cost_of_past, cost_of_run
from hub.flow.history.replay import run
from tests.hubs import Made

NewHub = Callable[..., Made]
EACH = "[[rule]]\nname = '{name}'\nwhen = ['{when}']\ndeliver = [{{ destination = 'memo', mapping = 'note' }}]\n"
HALVES = EACH.format(name="odd", when='signal.text.contains("odd")') + EACH.format(name="all", when="true")


def priced(made: Made, **prices: Any) -> Made:
    made.hub.settings = made.hub.settings.model_copy(update={"prices": PricesSection.model_validate(prices)})
    return made


def spoken(made: Made, count: int) -> Made:
    made.say(*({"id": str(number), "text": f"acme {('even', 'odd')[number % 2]}"} for number in range(count)))
    made.run()
    return made


def tried(made: Made, rules: str, **wanted: Any) -> Cost:
    file = made.hub.settings.folder / "other.toml"
    file.write_text(rules)
    with run(made.hub, candidate(made.hub, rules=file), **wanted) as done:
        return cost_of_run(made.hub, done)


def named(shares: tuple[Share, ...]) -> dict[str, Share]:
    return {share.name: share for share in shares}


@pytest.mark.parametrize(("count", "calls"), [(0, 0), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_records_go_out_in_full_batches(new_hub: NewHub, count: int, calls: int) -> None:
    assert calls_of(new_hub(batch=100).hub, "memo", "note", "upsert", count=count) == calls


def test_a_destination_may_say_how_many_calls_it_needs(new_hub: NewHub) -> None:
    made = new_hub()
    made.memo.calls_of = lambda self, object_, operation, count: 2 * count  # type: ignore[attr-defined]  # a plugin's own
    assert calls_of(made.hub, "memo", "note", "upsert", count=3) == 6


@pytest.mark.parametrize("name", ["removed", "sources/lines"])
def test_what_is_no_destination_takes_one_record_a_call(new_hub: NewHub, name: str) -> None:
    assert calls_of(new_hub().hub, name, "note", "upsert", count=3) == 3


def test_a_secret_that_is_not_here_keeps_nobody_from_counting(new_hub: NewHub) -> None:
    made = new_hub()

    def locked(name: str) -> None:
        raise ConfigError([])

    made.hub.destination = locked  # type: ignore[assignment,method-assign]  # its options cannot be read
    assert calls_of(made.hub, "memo", "note", "upsert", count=3) == 3


def test_what_was_sent_is_counted_by_its_batches(new_hub: NewHub) -> None:
    made = spoken(priced(new_hub(batch=4), destinations={"memo": 0.5}), 10)
    found = cost_of_past(made.hub, None)
    assert [len(batch) for batch in made.memo.got] == [4, 4, 2]
    assert named(found.destinations)["memo"].now == Amount(records=10, calls=3, money=1.5)


def test_rules_share_the_calls_that_carry_their_records(new_hub: NewHub) -> None:
    made = spoken(priced(new_hub(rules=HALVES, batch=4), destinations={"memo": 1.0}), 8)
    found = cost_of_past(made.hub, None)
    assert {name: share.now for name, share in named(found.rules).items()} == {
        "all": Amount(records=4, calls=1, money=1.0),
        "odd": Amount(records=4, calls=1, money=1.0),
    }
    assert found.total.now == Amount(records=8, calls=2, items=8, money=2.0)


def test_items_of_a_source_have_a_price_too(new_hub: NewHub) -> None:
    made = spoken(priced(new_hub(), sources={"lines": 0.1}), 5)
    assert named(cost_of_past(made.hub, None).sources)["lines"].now == Amount(5, 1, items=5, money=0.5)


def test_what_has_no_price_costs_nobody_knows_what(new_hub: NewHub) -> None:
    found = cost_of_past(spoken(new_hub(), 5).hub, None)
    assert (found.total.now.money, found.currency) == (None, "EUR")


def test_only_what_was_sent_and_taken_since_counts(new_hub: NewHub) -> None:
    made = spoken(new_hub(), 5)
    made.clock.pass_(days=3)
    found = cost_of_past(made.hub, made.clock() - timedelta(days=1))
    assert (found.total.now, found.days) == (Amount(), 1.0)


def test_a_month_is_made_from_the_days_there_are(new_hub: NewHub) -> None:
    made = spoken(priced(new_hub(), destinations={"memo": 1.0}), 6)
    made.clock.pass_(days=3)
    found = cost_of_past(made.hub, made.clock() - timedelta(days=90))
    assert found.days == 3.0
    assert found.total.month == Amount(records=60, calls=10, items=60, money=10.0)


def test_less_than_a_day_makes_no_month(new_hub: NewHub) -> None:
    made = spoken(new_hub(), 6)
    made.clock.pass_(hours=23)
    assert cost_of_past(made.hub, None).total.month is None


def test_an_empty_hub_costs_nothing(new_hub: NewHub) -> None:
    assert cost_of_past(new_hub().hub, None) == Cost("EUR", 0.0, (), (), (), Share("all", Amount()), basis="posts")


def test_a_dry_run_tells_what_sending_the_differences_costs(new_hub: NewHub) -> None:
    made = spoken(priced(new_hub(rules=EACH.format(name="none", when="false"), batch=4), destinations={"memo": 0.5}), 6)
    found = tried(made, HALVES)
    assert named(found.destinations)["memo"].now == Amount(records=6, calls=2, money=1.0)
    assert {name: share.now.records for name, share in named(found.rules).items()} == {"all": 3, "odd": 3}


def test_a_dry_run_forecasts_a_month_with_full_batches_and_without(new_hub: NewHub) -> None:
    made = spoken(priced(new_hub(batch=4), destinations={"memo": 0.5}, sources={"lines": 0.1}), 8)
    made.clock.pass_(days=10)
    found = tried(made, HALVES)
    memo = named(found.destinations)["memo"]
    assert (memo.now, memo.month) == (Amount(), Amount(records=24, calls=6, money=3.0))
    assert memo.at_most == Amount(records=24, calls=24, money=12.0)
    assert found.total.month == Amount(records=24, calls=6, items=24, money=5.4)


def test_each_form_of_a_record_is_a_write_of_a_month(new_hub: NewHub) -> None:
    made = new_hub(mapping="person")
    made.say(*({"id": str(number), "text": "acme"} for number in range(5)))
    made.run()
    made.clock.pass_(days=30)
    found = tried(made, EACH.format(name="each", when="true").replace("'note'", "'person'"))
    assert found.total.month is not None
    assert found.total.month.records == 1


@pytest.mark.parametrize("prices", [{"memo": 1}, {"destinations": {"memo": -1}}, {"sources": {"lines": "much"}}])
def test_prices_that_are_none_are_refused(prices: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"forbidden|greater|valid number|Extra"):
        PricesSection.model_validate(prices)
