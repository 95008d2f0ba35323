"""What a polling source owes each item: all of its words, a name of its own, and no harm from the item beside it."""

from __future__ import annotations

from typing import Any

import pytest

from hub.testkit.contracts.means.optional import needs
from hub.testkit.contracts.means.reader import text_of
from hub.testkit.contracts.means.witness import in_zone
from hub.testkit.contracts.parts.watch import SPOILT, WatchSuite

_SCRIPTS = "Grüße aus Łódź, привет, שלום, こんにちは, 👍🏽 said Straßer"
_LONG = 270  # characters that every network takes
_ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago")  # 14 hours ahead of UTC, 11 behind it
_BROKEN = ("one item empty", "one item null")


class KeepsItems(WatchSuite):
    """An item arrives whole, under its own name, whatever its neighbours and the machine."""

    def test_the_words_of_every_script_arrive(self) -> None:
        """Capitals, accents, emoji, from right to left: letter for letter."""
        with self.play() as watch:
            watch.clock.advance(60)
            self.add(watch.place, f"{text_of(1)} {_SCRIPTS}")
            self.poll(watch)
            signal = watch.reader.signal(1)
            assert _SCRIPTS in f"{signal.title} {signal.text}", (
                f"{_SCRIPTS!r} was said, the signal says {signal.text!r}: read bytes as UTF-8 (or as the answer's charset "
                "says), and change no letter"
            )

    def test_a_long_text_arrives_whole(self) -> None:
        """An agent who reads half a complaint answers the wrong half."""
        with self.play() as watch:
            watch.clock.advance(60)
            said = f"{text_of(1)} {'so it goes on '.ljust(_LONG, '.')} the end of it"
            self.add(watch.place, said)
            self.poll(watch)
            signal = watch.reader.signal(1)
            assert "the end of it" in f"{signal.title} {signal.text}", (
                f"of {len(said)} characters {len(signal.text)} arrived: give the whole text, the hub shortens what it shows"
            )

    def test_the_same_words_twice_are_two_items(self) -> None:
        """Many people say "thanks": an id that is made of the words makes them one."""
        with self.play() as watch:
            for _ in range(2):
                watch.clock.advance(60)
                self.add(watch.place, text_of(1))
            self.poll(watch)
            keys = watch.reader.heard().get(1, set())
            assert len(keys) == 2, (
                f"two items of the same words have {len(keys)} keys: use the id that the network gives"
            )
            ids = {raw.external_id for raw in watch.reader.marked().values()}
            assert len(ids) == 2, (
                "two items of the same words share an external id: one would count as the other's version"
            )

    @pytest.mark.parametrize("name", _BROKEN)
    def test_a_broken_item_costs_no_other(self, name: str) -> None:
        """One that cannot be read stands in the middle of a list: those beside it arrive, with this poll or a later one."""
        with self.play() as watch:
            readers = [watch.fresh() for _ in range(3)]
            numbers = range(1, 2 * self.page + 2)
            self.say(watch, *numbers, seconds=3600)  # an overlap must not bring them back
            for calls, reader in enumerate(readers):
                self.falter(watch, reader, SPOILT[name], after=calls)
                self.poll(watch, reader)
                lost = sorted(set(numbers) - set(reader.heard()))
                assert len(lost) <= 1, (
                    f"{name} in the answer to call {calls + 1}, and items {lost} never arrived: keep what is broken as it is, "
                    "let `translate` refuse it, and go on with the next"
                )

    def test_a_broken_item_has_the_same_name_each_time(self) -> None:
        """An id of the moment would store it again with every poll."""
        with self.play() as watch:
            readers = [watch.fresh() for _ in range(2)]
            self.say(watch, *range(1, self.page + 1))
            watch.line.set_faults(SPOILT[_BROKEN[0]])
            for reader in readers:
                self.ready(watch)
                reader.poll()
            one, other = (set(reader.arrived) for reader in readers)
            assert one == other, (
                "an item without an id is called otherwise with each fetch: name it by a digest of its payload, as the engine "
                "does for an empty external id of a file"
            )

    @pytest.mark.parametrize("zone", _ZONES)
    def test_the_zone_of_this_machine_changes_nothing(self, zone: str) -> None:
        """A cursor or a question in local time loses hours of items, or asks for them again and again."""
        with in_zone(zone), self.play() as watch:
            for first in (1, self.page + 2):
                numbers = range(first, first + self.page + 1)
                self.say(watch, *numbers)
                self.poll(watch)
                self.assert_all(watch.reader, range(1, numbers[-1] + 1))

    @needs("edit")
    def test_an_edit_changes_words_only(self) -> None:
        """It was said when it was said; and what was never edited is not said to be."""
        with self.play() as watch:
            (item,) = self.say(watch, 1)
            self.poll(watch)
            before = watch.reader.signal(1)
            assert before.state == "live", f"what was never edited is {before.state}"
            watch.clock.advance(3600)
            self.edit(watch.place, item, f"{text_of(1)}, now changed")
            self.poll(watch)
            after = watch.reader.signal(1)
            assert not self.tells_first_time or after.published_at == before.published_at, (
                f"said at {before.published_at}, and after an edit at {after.published_at}: when it was changed is `updated_at`. "
                "(`tells_first_time = False` if the network does not tell when it was first said)"
            )
            assert after.author_key == before.author_key, "an edit made it another person's word"

    @needs("edit")
    def test_an_edit_beside_news_hides_none_of_it(self) -> None:
        """An old item at the top of the list is no sign that all below it is known; and an old one's edit is news."""
        with self.play() as watch:
            (item,) = self.say(watch, 1)
            self.poll(watch)
            watch.clock.advance(3600)
            numbers = range(2, self.page + 3)
            self.say(watch, *numbers)
            watch.clock.advance(60)
            self.edit(watch.place, item, f"{text_of(1)}, now changed")
            self.poll(watch)
            self.assert_all(watch.reader, (1, *numbers))
            watch.clock.advance(3600)
            self.edit(watch.place, item, f"{text_of(1)}, changed once more")
            self.poll(watch)
            said = watch.reader.signal(1)
            assert "once more" in f"{said.title} {said.text}", (
                "the edit of an item that is older than the cursor did not arrive: go by when items changed"
            )

    def test_two_connections_know_an_item_by_one_key(self) -> None:
        """The same post read by two accounts is one post."""
        with self.play() as watch:
            self.say(watch, 1, 2)
            self.poll(watch)
            other: Any = watch.fresh()
            other.connection = "another"
            self.poll(watch, other)
            assert other.heard() == watch.reader.heard(), (
                "keys depend on the connection: the CRM would hold each post twice. Make them of the payload and the realm"
            )
