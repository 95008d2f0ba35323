"""The contract of a source that is asked: its `pull`, `check` and `recheck`, played against a look-alike of its network.

class TestEchoStreams(StreamsContract):
    source = EchoSource
    page = 2                                      # how many items the look-alike gives at once

    @classmethod
    def options(cls, url):
        return {"url": url, "token": "sandbox-token"}

    def add(self, place, text):                   # a person says it there, now; gives what `edit` and `delete` take
        ...

The look-alike is the source's `sandbox`, or what `look_alike` serves. What only some networks can do (`edit`, `delete`,
`add_html`, `add_at`, `add_reply`, `touch`, `use_up`) is tested once its method is there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hub.core.errors import ConnectorError
from hub.core.model import RawItem
from hub.testkit.contracts.means.optional import leave_out, needs
from hub.testkit.contracts.means.reader import CONNECTION, seconds_between, text_of
from hub.testkit.contracts.means.witness import impurities, in_zone, secrets_of, spilt
from hub.testkit.contracts.parts.failures import TellsFailures
from hub.testkit.contracts.parts.items import KeepsItems
from hub.testkit.contracts.parts.losses import LosesNothing
from hub.testkit.contracts.parts.watch import ODD, OUTAGES, REFUSALS, Watch

_HOSTILE = '<p>Hello <b>{}</b> &amp; all</p><script>alert(1)</script><img src=x onerror="alert(2)"><style>p{{}}</style>'


class StreamsContract(LosesNothing, KeepsItems, TellsFailures):
    """Subclass it with `source`, `page`, `options` and `add`.

    `pause`: how long after a failed poll the source is ready again (its interval unless said); `precision`: how exact the
    network's times are; `backfills`: False for a source that starts with what is said after its first poll; `steady_cursor`:
    False if a cursor holds more than a position (a feed's next visit); `far_apart`: longer than any overlap of the source, None
    for a network that lists only what is younger; `tells_first_time`: False for a network that says of an edited item only when
    it was changed; `keys_in_addresses`: True if this network takes its key in no other place than a request's address;
    `names_next`: True if a page names the next one, so that an empty one is no end; `reaches_anywhere`: True if "*" is meant;
    `most_cursor`: bytes of a cursor that has read a few hundred items; `gone_words`: names of odd answers (`ODD`) by which this
    network itself says that a post is gone.
    """

    def __init_subclass__(cls, **more: Any) -> None:
        """Leave out what this network cannot do."""
        super().__init_subclass__(**more)
        known = getattr(cls, "source", None)
        if known is not None:
            rechecks = frozenset({"recheck"}) if known.recheck_size else frozenset[str]()
            leave_out(cls, StreamsContract, known.capabilities | rechecks)

    def test_raw_items_say_where_they_come_from(self) -> None:
        """The connection, the plugin, the moment, and an id that is no accident of the fetch."""
        with self.play() as watch:
            self.say(watch, 1, 2)
            for raw in self.poll(watch).items:
                assert raw.source == CONNECTION, (
                    f"source is {raw.source!r}: give ctx.connection, several may use a plugin"
                )
                is_ours = raw.plugin == self.source.name or "as_plugin" in self.source.capabilities
                assert is_ours, f"plugin is {raw.plugin!r}, by which the engine finds translate: it is self.name"
                assert raw.received_at == watch.clock.at, "received_at is ctx.now(), not a clock of the plugin's"
                assert isinstance(raw.payload, bytes), f"a payload is bytes, not {type(raw.payload).__name__}"
                assert raw.payload, "a payload is empty: nothing can be replayed from it"
                assert isinstance(raw.external_id, str), "an external id is text"
                assert 0 < len(raw.external_id) <= 2_000, f"{raw.external_id[:80]!r} is no external id"
                assert isinstance(raw.revision, str), "a revision is text, empty where there is none"

    def test_signals_are_of_the_network_that_the_source_names(self) -> None:
        """Rules, keys and pages go by it."""
        with self.play() as watch:
            self.say(watch, 1)
            self.poll(watch)
            said = watch.reader.signal(1).network
            assert said == watch.source.network, (
                f"the source reads {watch.source.network!r}, its signals are of {said!r}"
            )

    def test_an_item_that_is_read_from_a_file_is_the_same_item(self) -> None:
        """`identify` names it as `pull` does, or leaves it to the engine: an import must double nothing."""
        with self.play() as watch:
            self.say(watch, 1, 2)
            self.poll(watch)
            for raw in watch.reader.marked().values():
                named = watch.source.identify(raw.payload)
                assert named in ((raw.external_id, raw.revision), ("", "")), (
                    f"pull says {(raw.external_id, raw.revision)}, identify says {named}"
                )

    def test_times_are_those_of_the_network(self) -> None:
        """When it was said, not when it was read; aware, and never in the future."""
        with self.play() as watch:
            self.say(watch, 1)
            said = watch.clock.at
            watch.clock.advance(3 * 3600)
            self.poll(watch)
            signal = watch.reader.signal(1)
            assert signal.published_at.tzinfo is not None, "published_at has no zone"
            gap = seconds_between(signal.published_at, said)
            assert gap <= self.precision.total_seconds(), (
                f"it was said at {said.isoformat()}, the signal says {signal.published_at.isoformat()}"
            )
            assert signal.observed_at == watch.clock.at, "observed_at is raw.received_at"

    def test_translating_what_came_asks_nothing_of_the_world(self) -> None:
        """History is replayed through it: no clock, no dice, no network, no file, no zone of this machine."""
        with self.play() as watch:
            self.say(watch, 1, 2, 3)
            raws = self.poll(watch).items
            for raw in raws:
                asked = impurities(lambda raw=raw: _quietly(watch, raw))  # type: ignore[misc]  # bound at once
                assert not asked, f"translate asks {asked}: all it may know is the raw item"
            here = [watch.source.translate(raw) for raw in raws]
            with in_zone("Pacific/Kiritimati"):
                there = [watch.source.translate(raw) for raw in raws]
            assert repr(here) == repr(there), "translate depends on this machine's zone"
            other = watch.fresh().source
            assert here[::-1] == [other.translate(raw) for raw in raws[::-1]], "translate remembers what came before"

    @needs("add_html")
    def test_html_in_a_body_becomes_plain_text(self) -> None:
        """Words and entities stay; elements, scripts and handlers do not."""
        with self.play() as watch:
            watch.clock.advance(60)
            self.add_html(watch.place, _HOSTILE.format(text_of(1)))
            self.poll(watch)
            signal = watch.reader.signal(1)
            assert "& all" in signal.text, f"the words are {signal.text!r}"
            for hostile in ("<", "alert(", "onerror", "&amp;", "p{"):
                assert hostile not in signal.text, f"{hostile!r} is left in the text {signal.text!r}"
            assert _is_web(signal.url), f"{signal.url!r} is no web address"

    @needs("add_html")
    def test_html_that_is_quoted_stays_words(self) -> None:
        """Who writes about `<b>` sends `&amp;lt;b&amp;gt;`: read it once, not twice."""
        with self.play() as watch:
            watch.clock.advance(60)
            self.add_html(watch.place, f"<p>{text_of(1)}: 5 &lt; 6 and write &amp;lt;b&amp;gt; for bold</p>")
            self.poll(watch)
            text = watch.reader.signal(1).text
            assert "5 < 6 and write &lt;b&gt; for bold" in text, (
                f"entities are read more or less than once: {text!r}. Read HTML by hub.sdk.text.html_to_text, and nothing after"
            )

    def test_no_secret_is_told_anywhere(self) -> None:
        """Not in ids, payloads, cursors, signals, errors, log lines, nor on the terminal."""
        with self.play() as watch:
            secrets = secrets_of(watch.source.options)
            self.say(watch, *range(1, self.page + 2))
            self.poll(watch)
            for name, fault in {**OUTAGES, **ODD, **REFUSALS}.items():
                watch.line.set_faults(fault)
                self.ready(watch)
                if error := watch.reader.poll().error:
                    told = (str(error), error.code, error.details, vars(error))
                    assert not spilt(secrets, *told), f"the error of {name} tells a secret"
                try:
                    watch.source.check(watch.reader.ctx)
                except ConnectorError as error:
                    told = (str(error), error.code, error.details, vars(error))
                    assert not spilt(secrets, *told), f"the error of a check under {name} tells a secret"
            kept = [*watch.reader.arrived.values(), watch.reader.cursor, *watch.reader.translated()]
            payloads = [raw.payload for raw in watch.reader.arrived.values()]
            assert not spilt(secrets, *kept, *payloads), "an item or the cursor holds a secret"
            assert not spilt(secrets, watch.seen.told()), "a log line tells a secret"


def _quietly(watch: Watch, raw: RawItem) -> Any:
    with suppress(Exception):
        return watch.source.translate(raw)
    return None


def _is_web(url: str | None) -> bool:
    return url is None or url.startswith(("https://", "http://"))
