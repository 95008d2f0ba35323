"""What a polling source must never lose: items, whatever kills a poll; its place, whatever the clock says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from hub.core.errors import ConnectorError
from hub.testkit.contracts.means.optional import needs
from hub.testkit.contracts.means.reader import Reader, text_of
from hub.testkit.contracts.means.witness import within
from hub.testkit.contracts.parts.watch import ODD, OUTAGES, REFUSALS, SPOILT, Watch, WatchSuite


class LosesNothing(WatchSuite):
    """Nothing is lost, nothing is doubled, and a cursor is a position."""

    def test_all_that_is_said_arrives_once(self) -> None:
        """More than two pages of it at the first poll, and no more with the second."""
        with self.play() as watch:
            numbers = range(1, 2 * self.page + 2)
            self.say(watch, *numbers)
            self.poll(watch)
            self.assert_all(watch.reader, numbers)
            before = dict(watch.reader.arrived)
            self.poll(watch)
            assert set(watch.reader.arrived) == set(before), (
                "a second poll brings the same items under another id, revision or payload: the inbox would take them for "
                "new ones. Leave out of a payload what changes from fetch to fetch"
            )

    def test_more_than_a_page_between_two_polls_arrives_whole(self) -> None:
        """A list that stands newest first is read back to where the last poll ended."""
        with self.play() as watch:
            self.say(watch, 1)
            self.poll(watch)
            self.say(watch, *range(2, 3 * self.page + 3))
            self.poll(watch)
            self.assert_all(watch.reader, range(1, 3 * self.page + 3))

    def test_items_of_one_moment_all_arrive(self) -> None:
        """Also where the same moment lies on both sides of a page's end, or of a poll."""
        with self.play() as watch:
            self.say(watch, 1)
            moment = watch.clock.at
            for first in (2, 2 + self.page + 1):
                now, watch.clock.at = watch.clock.at, moment  # the network's clock stands still, ours goes on
                self.say(watch, *range(first, first + self.page + 1), seconds=0)
                watch.clock.at = now
                self.poll(watch)
            self.poll(watch)
            self.assert_all(watch.reader, range(1, 2 * self.page + 4))

    def test_a_poll_without_news_asks_little(self) -> None:
        """As little after many items as after few: a source that reads all its past again spends the network's limit on it."""
        with self.play() as watch:
            calls: list[int] = []
            for first, last in ((1, self.page + 1), (self.page + 2, 9 * self.page)):
                self.say(watch, *range(first, last + 1), seconds=12 * 3600)  # an overlap may be days
                self.poll(watch)
                self.poll(watch)
                watch.clock.advance(4 * 3600)
                before = watch.requests()
                self.poll(watch)
                calls.append(watch.requests() - before)
            assert calls[1] <= calls[0] + 2, (
                f"a poll without news made {calls[0]} calls, and {calls[1]} once there were more items: read from the cursor on, "
                "and stop at what stands before it"
            )

    @needs("delete")
    def test_what_is_deleted_while_a_list_is_read_hides_no_other(self) -> None:
        """Pages that are asked by number or offset move up: the first item of the next one is then on none."""
        with self.play() as watch:
            numbers = range(1, 3 * self.page + 1)
            items = self.say(watch, *numbers)
            gone: list[int] = []

            def delete_first_and_last() -> None:  # a list is read from one end or the other
                nth = len(gone) // 2
                for place in (nth, -1 - nth) if nth < 3 else ():
                    self.delete(watch.place, items[place])
                    gone.append(numbers[place])

            watch.line.after = delete_first_and_last
            self.poll(watch)
            watch.line.after = None
            self.poll(watch)
            self.assert_all(watch.reader, [one for one in numbers if one not in gone])

    def test_what_is_said_during_a_poll_arrives(self) -> None:
        """Pages shift under a reader."""
        with self.play() as watch:
            self.say(watch, *range(1, 2 * self.page + 2))
            self.ready(watch)
            late = iter(range(100, 200))
            given = watch.source.pull(watch.reader.ctx, watch.reader.cursor)
            said: list[int] = []
            for page in given:
                watch.reader._commit(page)  # noqa: SLF001 - the engine's part, between two pages
                if len(said) < 5:
                    said.append(next(late))
                    self.say(watch, said[-1], seconds=1)
            self.poll(watch)
            self.assert_all(watch.reader, [*range(1, 2 * self.page + 2), *said])

    @pytest.mark.parametrize("restarted", [False, True], ids=["same worker", "another worker"])
    def test_a_poll_that_is_killed_after_any_page_loses_nothing(self, restarted: bool) -> None:
        """What was given and not committed is given again, whatever the instance or its memory says."""
        with self.play() as watch:
            numbers = range(1, 2 * self.page + 2)
            if not self.backfills:
                watch.reader = watch.fresh()
            readers = [watch.fresh() for _ in range(4)]
            self.say(watch, *numbers)
            for pages, reader in enumerate(readers):
                self.ready(watch)
                reader.poll(killed_after=pages)
                if restarted:
                    reader.restart()
                self.poll(watch, reader)
                self.assert_all(reader, numbers)

    @pytest.mark.parametrize("name", [*OUTAGES, *ODD, *REFUSALS])
    def test_no_item_is_lost_where_any_call_of_a_poll_fails(self, name: str) -> None:
        """The first call, the second, the third: what it would have brought comes with a later poll."""
        fault = {**OUTAGES, **ODD, **REFUSALS}[name]
        with self.play() as watch:
            readers = [watch.fresh() for _ in range(3)]
            numbers = range(1, 2 * self.page + 2)
            self.say(watch, *numbers)
            for calls, reader in enumerate(readers):
                pulled = self.falter(watch, reader, fault, after=calls)
                was_whole = set(numbers) <= set(reader.heard())
                assert pulled.error is not None or was_whole or pulled.items, (
                    f"call {calls + 1} of a poll met {name} and nothing was raised: the engine takes it for "
                    "'nothing new'. Raise Unavailable for what is no answer"
                )
                self.poll(watch, reader)
                self.assert_all(reader, numbers)

    # ------------------------------------------------------------------------------------------------- after a long silence

    @contextmanager
    def _far_apart(self, count: int) -> Iterator[tuple[Watch, list[Reader], range]]:
        """Give readers that have read one item, and the numbers of items said since, too far apart for any overlap."""
        with self.play() as watch:
            readers = [watch.fresh() for _ in range(count)]
            self.say(watch, 1)
            for reader in readers:
                self.poll(watch, reader)
            numbers = range(2, 2 * self.page + 3)
            self.say(watch, *numbers, seconds=(self.far_apart or timedelta()).total_seconds())
            yield watch, readers, numbers

    def test_a_poll_that_is_killed_after_a_long_silence_loses_nothing(self) -> None:
        """An overlap hides a cursor that stands too far: here only the cursor can bring what was not given."""
        if self.far_apart is None:
            return
        with self._far_apart(3) as (watch, readers, numbers):
            for pages, reader in enumerate(readers):
                self.ready(watch)
                reader.poll(killed_after=pages)
                reader.restart()
                self.poll(watch, reader)
                self.assert_all(reader, numbers)

    @pytest.mark.parametrize("name", ["500", "a reset", "refused credentials", "429"])
    def test_no_item_is_lost_where_any_call_after_a_long_silence_fails(self, name: str) -> None:
        """What was read before the failure does not carry the cursor over what was not."""
        if self.far_apart is None:
            return
        with self._far_apart(3) as (watch, readers, numbers):
            for calls, reader in enumerate(readers):
                self.falter(watch, reader, {**OUTAGES, **REFUSALS}[name], after=calls)
                self.poll(watch, reader)
                self.assert_all(reader, numbers)

    @pytest.mark.parametrize("name", SPOILT)
    def test_a_spoilt_list_lets_no_bug_out(self, name: str) -> None:
        """An item that is none, a list that is empty: what cannot be read is left, what comes later arrives."""
        with self.play() as watch:
            self.say(watch, *range(1, self.page + 2))
            for calls in range(3):
                self.falter(watch, watch.reader, SPOILT[name], after=calls)
            self.say(watch, *range(100, 101 + self.page))
            self.poll(watch)
            self.assert_all(watch.reader, range(100, 101 + self.page))

    def test_an_empty_page_that_names_the_next_is_no_end(self) -> None:
        """Filters, deletions: a page may be empty and more may stand behind it."""
        if not self.names_next:
            return
        with self.play() as watch:
            readers = [watch.fresh() for _ in range(2)]
            numbers = range(1, 4 * self.page + 1)
            self.say(watch, *numbers, seconds=3600)  # an overlap must not bring them back
            for calls, reader in enumerate(readers):
                self.falter(watch, reader, {"garble": "hollow"}, after=calls)
                self.poll(watch, reader)
                lost = sorted(set(numbers) - set(reader.heard()))
                assert len(lost) <= self.page, (
                    f"page {calls + 1} was empty, and items {lost} after it did not arrive: read on until no next page is named"
                )

    def test_every_item_has_an_id_and_a_key_of_its_own(self) -> None:
        """The inbox tells raw items apart by the one, the hub signals by the other."""
        with self.play() as watch:
            numbers = range(1, self.page + 2)
            self.say(watch, *numbers)
            self.poll(watch)
            said = {number: watch.reader.signal(number) for number in numbers}
            assert len({one.key for one in said.values()}) == len(said), (
                "two items share a key: one overwrites the other"
            )
            ids = [raw.external_id for raw in watch.reader.marked().values()]
            assert len(set(ids)) == len(ids), (
                "two items share an external id: one would count as a version of the other"
            )

    def test_a_source_that_begins_anew_gives_the_same_items(self) -> None:
        """After a lost cursor the inbox knows each: ids, revisions and payloads do not depend on the fetch."""
        with self.play() as watch:
            other = watch.fresh()
            self.say(watch, *range(1, self.page + 2))
            self.poll(watch)
            self.poll(watch, other)
            assert set(watch.reader.marked()) == set(other.marked()), (
                "the same items come under other ids, revisions or payloads"
            )

    @needs("edit")
    def test_a_changed_item_comes_again_as_another_version(self) -> None:
        """Under the same key and id, with the new words, though others were said since."""
        with self.play() as watch:
            item = self.say(watch, 1, 2, 3)[0]
            self.poll(watch)
            before = watch.reader.signal(1)
            watch.clock.advance(3600)
            self.edit(watch.place, item, f"{text_of(1)}, now changed")
            self.poll(watch)
            after = watch.reader.signal(1)
            assert "now changed" in f"{after.title} {after.text}", "the change did not arrive"
            assert after.key == before.key, "a changed item has another key: the CRM would hold two"
            ids = {raw.external_id for raw in watch.reader.marked().values()}
            assert len(ids) == 3, (
                f"three items, one of them changed, have the external ids {ids}: it would count as two"
            )

    @needs("touch")
    def test_what_is_no_edit_brings_nothing_again(self) -> None:
        """With each like it would be taken in and decided again: leave out of the payload what changes without an edit."""
        with self.play() as watch:
            (item,) = self.say(watch, 1)
            self.poll(watch)
            before = set(watch.reader.arrived)
            self.touch(watch.place, item)
            self.poll(watch)
            assert set(watch.reader.arrived) == before, "what is no edit comes again as another payload"

    @needs("add_reply")
    def test_answers_arrive_as_answers(self) -> None:
        """All of a dozen, each under an id and a key of its own, with the key of what it answers."""
        with self.play() as watch:
            (item,) = self.say(watch, 1)
            for number in range(2, 14):
                self.add_reply(watch.place, text_of(number), item)
            self.poll(watch)
            self.assert_all(watch.reader, range(1, 14))
            root = watch.reader.signal(1)
            answers = [watch.reader.signal(number) for number in range(2, 14)]
            assert len({root.key, *(one.key for one in answers)}) == 13, "an answer has the key of another post"
            orphans = [
                one.native_id for one in answers if not {one.in_reply_to, one.parent_alias} & {root.key, *root.aliases}
            ]
            assert not orphans, f"{orphans} do not say what they answer: set in_reply_to"

    @needs("add_reply")
    def test_a_late_answer_to_an_old_item_arrives_within_a_day(self) -> None:
        """It brings the item that it answers to the top of no list: what is old is read again, once a day at least."""
        with self.play() as watch:
            (item,) = self.say(watch, 1)
            self.say(watch, *range(2, self.page + 4), seconds=24 * 3600 / self.page)
            self.poll(watch)
            self.add_reply(watch.place, text_of(100), item)
            self.poll(watch)
            watch.clock.advance(24 * 3600)
            self.poll(watch)
            self.assert_all(watch.reader, (1, 100))

    @needs("add_at")
    def test_an_item_that_bears_an_older_time_arrives(self) -> None:
        """It shows up late, or its author dates it back."""
        with self.play() as watch:
            self.say(watch, 1, 2)
            self.poll(watch)
            self.add_at(watch.place, text_of(3), watch.clock.at - timedelta(days=3))
            self.poll(watch)
            self.assert_all(watch.reader, (1, 2, 3))

    # ------------------------------------------------------------------------------------------------------ the cursor

    def test_a_poll_without_news_leaves_the_cursor_alone(self) -> None:
        """What shows up late, before this moment, must still be found."""
        with self.play() as watch:
            self.say(watch, 1, 2)
            self.poll(watch)
            before = watch.reader.cursor
            watch.clock.advance(7 * 24 * 3600)
            self.poll(watch)
            if self.steady_cursor:
                assert watch.reader.cursor == before, (
                    "nothing came, and the cursor moved: stand where the last item stood"
                )
            self.say(watch, 3)
            self.poll(watch)
            self.assert_all(watch.reader, (1, 2, 3))

    def test_a_poll_of_an_empty_place_gives_nothing_and_misses_nothing(self) -> None:
        """The first item that is ever said arrives."""
        with self.play() as watch:
            self.poll(watch)
            self.poll(watch)
            self.say(watch, *range(1, self.page + 2))
            self.poll(watch)
            self.assert_all(watch.reader, range(1, self.page + 2))

    def test_a_cursor_stays_small(self) -> None:
        """It is written with every page: a position, not a list of all that was ever seen."""
        with self.play() as watch:
            sizes: list[int] = []
            for round_ in range(4):
                first = 1 + round_ * 2 * self.page
                self.say(watch, *range(first, first + 2 * self.page))
                self.poll(watch)
                sizes.append(len(json.dumps(watch.reader.cursor)))
            assert sizes[-1] <= self.most_cursor, f"the cursor has {sizes[-1]} bytes"
            growth = [after - before for before, after in pairwise(sizes)]
            assert min(growth) <= max(8, sizes[0] // 10), f"the cursor grows with every item: {sizes} bytes"

    def test_a_clock_that_ran_ahead_costs_nothing(self) -> None:
        """A poll in the wrong year, then the clock is set right: the source neither waits for that year nor skips up to it."""
        with self.play() as watch:
            self.say(watch, 1)
            self.poll(watch)
            right = watch.clock.at
            watch.clock.advance(400 * 24 * 3600)
            self.poll(watch)
            self.poll(watch)
            watch.clock.at = right
            self.say(watch, 2, 3)
            for _ in range(2):
                self.ready(watch)
                pulled = within(20, watch.reader.poll)
                assert pulled.error is None, f"a cursor of the future ends in {pulled.error!r}"
            assert watch.seen.slept <= 30, "it sleeps until the future has come"
            self.assert_all(watch.reader, (1, 2, 3))

    @needs("add_at")
    def test_an_item_of_the_future_hides_none_after_it(self) -> None:
        """Its author claims next year: the cursor must not follow."""
        with self.play() as watch:
            self.say(watch, 1)
            self.poll(watch)
            self.add_at(watch.place, text_of(2), watch.clock.at + timedelta(days=400))
            self.poll(watch)
            self.say(watch, 3)
            self.poll(watch)
            self.assert_all(watch.reader, (1, 2, 3))

    def test_a_server_that_ignores_the_position_is_not_asked_for_ever(self) -> None:
        """Every request gets the same page: the pull ends all the same."""
        with self.play() as watch:
            self.say(watch, *range(1, 2 * self.page + 2))
            watch.line.stuck, watch.line.most = True, watch.requests() + 300
            self.ready(watch)
            with suppress(ConnectorError):
                within(30, watch.reader.poll)
            watch.line.stuck, watch.line.most = False, 10_000
            self.poll(watch)

    def test_a_cursor_that_cannot_be_read_begins_anew_or_is_refused(self) -> None:
        """One of an older version of the plugin: no exception but a ConnectorError, and nothing waits for ever."""
        with self.play() as watch:
            self.say(watch, 1)
            cursors: tuple[Any, ...] = ("of another version", 7, [], {}, {"no such": {"stream": 1}}, "")
            for cursor in cursors:
                reader = watch.fresh()
                reader.cursor = cursor
                self.ready(watch)
                within(20, reader.poll)
