"""How a polling source tells what fails, where it goes, and what it says of the credentials and of posts that are gone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr

from hub.core.errors import ConnectorError, QuotaExhausted, RateLimited, Rejected, Retryable, Unauthorised, Unavailable
from hub.core.model import Signal, Tombstone
from hub.sdk.connectors import Connector
from hub.testkit.contracts.means.optional import needs
from hub.testkit.contracts.means.reader import seconds_between
from hub.testkit.contracts.means.witness import secrets_of, spilt, strange_hosts
from hub.testkit.contracts.parts.watch import ODD, OUTAGES, REFUSALS, WAIT, Fault, Watch, WatchSuite

_MISSING: Mapping[str, Fault] = {"404 of a proxy": {"status": 404, "body": "<h1>Not Found</h1>"}}
_CUT = "an answer that is cut"
_MANY = 60
"""Posts of a recheck at most: a look-alike forgets its oldest."""


class TellsFailures(WatchSuite):
    """A failed call is raised under its name, and never taken for an answer."""

    def _failed(self, watch: Watch, fault: Fault) -> ConnectorError:
        """Return the error of a poll under a lasting fault; it gives no item, makes few calls and does not wait."""
        self.say(watch, 1)
        self.ready(watch)
        watch.line.set_faults(fault)
        before, slept = watch.requests(), watch.seen.slept
        pulled = watch.reader.poll()
        assert pulled.error is not None, (
            f"a poll met {dict(fault)} and raised nothing: the engine takes it for 'nothing new' and no one is told"
        )
        assert not pulled.items, "a failed poll gave items"
        assert watch.requests() - before <= self.calls_when_refused, "it asks again and again: the engine does that"
        assert watch.seen.slept - slept <= 30, "it sleeps: raise, and the engine comes back in time"
        return pulled.error

    @pytest.mark.parametrize("name", OUTAGES)
    def test_an_outage_is_told_as_one(self, name: str) -> None:
        """Retryable: the engine comes back, and an alert is due after a while."""
        with self.play() as watch:
            assert isinstance(error := self._failed(watch, OUTAGES[name]), Retryable), f"{error!r} is not Retryable"

    @pytest.mark.parametrize("name", ODD)
    def test_an_answer_that_says_nothing_is_a_failed_poll(self, name: str) -> None:
        """Never "no new items": a proxy's page would silence the source without an alarm."""
        with self.play() as watch:
            if name == _CUT and self._reads_a_part(watch):
                return
            error = self._failed(watch, ODD[name])
            assert isinstance(error, Retryable | Rejected), f"{error!r} is neither Retryable nor Rejected"

    def _reads_a_part(self, watch: Watch) -> bool:
        """Return True if a cut document gives the items before the cut, as readers of broken XML do; the rest comes later."""
        self.say(watch, 1)
        self.ready(watch)
        watch.line.set_faults(ODD[_CUT])
        return bool(watch.reader.poll().items)

    def test_refused_credentials_are_unauthorised(self) -> None:
        """The engine pauses the connection and asks a person."""
        with self.play() as watch:
            assert isinstance(error := self._failed(watch, {"expired_token": True}), Unauthorised), f"it is {error!r}"

    def test_a_forbidden_call_is_told(self) -> None:
        """By whatever name: the rights of a token, or a closed list."""
        with self.play() as watch:
            error = self._failed(watch, {"status": 403, "body": {"error": "forbidden"}})
            assert not isinstance(error, Unavailable), "a 403 is no outage: asked again it says the same"

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_a_list_that_is_not_there_is_told(self, status: int) -> None:
        """A list that was renamed, an API that was switched off: "nothing new" would hide it for ever."""
        with self.play() as watch:
            error = self._failed(watch, {"status": status, "body": {"error": "there is no such thing"}})
            assert not isinstance(error, Unauthorised), f"{status} says nothing about credentials, and it is {error!r}"

    @pytest.mark.parametrize("form", ["seconds", "date"])
    def test_retry_after_is_kept(self, form: str) -> None:
        """In both of its forms (RFC 9110, 10.2.3)."""
        with self.play() as watch:
            self.say(watch, 1)
            self.ready(watch)
            now = watch.clock.at.replace(microsecond=0)
            after = str(WAIT) if form == "seconds" else format_datetime(now + timedelta(seconds=WAIT), usegmt=True)
            headers = {"Retry-After": after, "Date": format_datetime(now, usegmt=True)}
            self.assert_waits(watch, {"status": 429, "headers": headers, "body": {"error": "slow down"}})

    def test_the_networks_own_429_is_kept(self) -> None:
        """As its look-alike writes it."""
        with self.play() as watch:
            self.say(watch, 1)
            self.ready(watch)
            self.assert_waits(watch, {"rate_per_s": 0})

    @needs("reset_headers")
    def test_the_networks_own_reset_is_kept(self) -> None:
        """The header by which it says when its next window begins."""
        with self.play() as watch:
            self.say(watch, 1)
            self.ready(watch)
            now = watch.clock.at.replace(microsecond=0)
            headers = {**self.reset_headers(now + timedelta(seconds=WAIT)), "Date": format_datetime(now, usegmt=True)}
            self.assert_waits(watch, {"status": 429, "headers": headers, "body": {"error": "slow down"}})

    @needs("use_up")
    def test_a_used_up_quota_is_told_with_its_end(self) -> None:
        """Asked again before it is filled the network refuses again; a refusal for good would stop the source."""
        with self.play() as watch:
            self.say(watch, 1)
            self.ready(watch)
            self.use_up(watch.place)
            error = watch.reader.poll().error
            assert isinstance(error, RateLimited | QuotaExhausted), f"a used-up quota is {error!r}: map its code"
            told = error.until if isinstance(error, QuotaExhausted) else error.retry_after
            assert told, "when the quota is filled again was not told: the engine would ask all day"

    def assert_waits(self, watch: Watch, fault: Fault) -> None:
        """Check that the poll ends with the network's own pause, and without sleeping through it."""
        watch.line.set_faults(fault)
        slept = watch.seen.slept
        error = watch.reader.poll().error
        assert isinstance(error, RateLimited | QuotaExhausted), f"a 429 is {error!r}, not RateLimited"
        assert watch.seen.slept - slept <= 30, "it sleeps through the pause: a worker is lost to it. Raise RateLimited"
        until = error.until if isinstance(error, QuotaExhausted) else None
        told = error.retry_after if isinstance(error, RateLimited) else until and seconds_between(until, watch.clock.at)
        assert told is not None, "how long to wait was not told: the engine would guess"
        assert told == pytest.approx(WAIT, abs=2), f"the network asks for {WAIT} s, the error says {told}"

    def test_only_declared_hosts_are_asked_and_only_through_the_guard(self) -> None:
        """Egress is refused to any other; a connection of its own would pass the guard by."""
        with self.play() as watch:
            self.say(watch, *range(1, self.page + 2))
            self.poll(watch)
            with suppress(ConnectorError):
                watch.source.check(watch.reader.ctx)
            assert watch.line.requests or watch.seen.dialled, "no request was seen: does it go through ctx.http?"
            assert not watch.seen.dialled, (
                f"it dialled {watch.seen.dialled} by itself: use ctx.http or an adapter of it"
            )
            assert not strange_hosts(watch.line.requests, watch.source.egress()), "a host that egress() does not name"
            if not self.reaches_anywhere:
                assert "*" not in watch.source.egress(), (
                    'egress() names "*": name the hosts, or set `reaches_anywhere = True` where any is meant'
                )

    def test_check_says_who_we_are(self) -> None:
        """In a few words, and without a secret."""
        with self.play() as watch:
            said = watch.source.check(watch.reader.ctx)
            assert isinstance(said, str), f"check says {said!r}"
            assert said, "check says nothing"
            assert not spilt(secrets_of(watch.source.options), said), "check tells a secret"

    def test_check_tells_refused_credentials(self) -> None:
        """As Unauthorised, which `hub check` shows; "all is well" would be found out days later."""
        with self.play() as watch:
            watch.line.set_faults({"expired_token": True})
            if not secrets_of(watch.source.options):
                return  # it has no credentials that could be wrong
            before = watch.requests()
            said = self._checked(watch)
            assert isinstance(said, Unauthorised), (
                f"with refused credentials check says {said!r}: make a call that needs them, and raise Unauthorised"
            )
            assert watch.requests() - before <= self.calls_when_refused, "it asks again and again"

    def test_check_asks_with_the_credentials(self) -> None:
        """With others it asks otherwise; else it would call any token good."""
        with self.play() as watch:
            if not secrets_of(watch.source.options) or self.source.check is Connector.check:
                return
            asked = []
            for options in (watch.source.options, _with_other_secrets(watch.source.options)):
                reader = watch.fresh()
                before = watch.requests()
                with suppress(ConnectorError):
                    self.make(options).check(reader.ctx)
                asked.append([(one.method, one.url, one.headers, one.content) for one in watch.line.requests[before:]])
            assert asked[0] != asked[1], (
                "check makes the same calls whatever the credentials are: make one that needs them, and say whose they are"
            )

    def test_check_finds_wrong_what_a_poll_finds_wrong(self) -> None:
        """Credentials with which no poll works: "all is well" would be found out days later."""
        with self.play() as watch:
            if not secrets_of(watch.source.options) or self.source.check is Connector.check:
                return
            self.say(watch, 1)
            self.ready(watch)
            wrong = watch.fresh()
            wrong.source = self.make(_with_other_secrets(watch.source.options))
            if isinstance(error := wrong.poll().error, Unauthorised):
                with pytest.raises(ConnectorError):
                    said = wrong.source.check(wrong.ctx)
                    raise AssertionError(
                        f"a poll ends in {error!r}, and check says {said!r}: ask what every poll needs"
                    )

    def test_no_address_holds_a_secret(self) -> None:
        """Addresses stand in logs of proxies and servers."""
        if self.keys_in_addresses:
            return
        with self.play() as watch:
            self.say(watch, *range(1, self.page + 2))
            self.poll(watch)
            with suppress(ConnectorError):
                watch.source.check(watch.reader.ctx)
            told = [one.url for one in watch.line.requests if spilt(secrets_of(watch.source.options), one.url)]
            assert not told, (
                f"a secret stands in the address of {len(told)} requests: send it in a header (`keys_in_addresses = True` if "
                "this network takes it nowhere else)"
            )

    @pytest.mark.parametrize("name", [*OUTAGES, "a page for people", "an empty body"])
    def test_check_tells_an_outage(self, name: str) -> None:
        """A proxy's page is no sign that all is well."""
        with self.play() as watch:
            if self.source.check is Connector.check:
                return  # it says that it checks nothing
            watch.line.set_faults({**OUTAGES, **ODD}[name])
            said = self._checked(watch)
            assert isinstance(said, Retryable | Rejected), f"under {name} check says {said!r}"

    def _checked(self, watch: Watch) -> str | ConnectorError:
        try:
            return watch.source.check(watch.reader.ctx)
        except ConnectorError as error:
            return error

    @needs("delete")
    def test_a_recheck_finds_what_is_gone_and_nothing_else(self) -> None:
        """One of three was taken back; none of none is no call."""
        with self.play() as watch:
            items = self.say(watch, 1, 2, 3)
            self.poll(watch)
            signals = [watch.reader.signal(number) for number in (1, 2, 3)]
            assert _gone(watch, signals) == [], "a post that stands is told to be gone: it would be erased everywhere"
            self.delete(watch.place, items[1])
            assert _gone(watch, signals) == [signals[1].key], "what is gone stays in every CRM"
            assert _gone(watch, [signals[0], signals[2]]) == []
            before = watch.requests()
            assert _gone(watch, []) == []
            assert watch.requests() == before, "asked about nothing it makes calls"

    @needs("delete")
    def test_a_recheck_of_many_finds_each_that_is_gone(self) -> None:
        """As many as `recheck_size` says are asked about, the last as well as the first; each that is gone is told, once."""
        with self.play() as watch:
            most = min(watch.source.recheck_size, _MANY)
            assert most, "`delete` is given, and `recheck_size` is 0: the engine never asks what is gone"
            numbers = range(1, most + 1)
            items = self.say(watch, *numbers)
            self.poll(watch)
            signals = [watch.reader.signal(number) for number in numbers]
            places = sorted({0, most // 2, most - 1})
            for place in places:
                self.delete(watch.place, items[place])
            assert sorted(_gone(watch, signals)) == sorted(signals[place].key for place in places), (
                f"items {[place + 1 for place in places]} of {most} are gone: answer for each that was asked about"
            )

    @needs("delete")
    @pytest.mark.parametrize("name", [*OUTAGES, *ODD, *REFUSALS, *_MISSING])
    def test_a_recheck_during_an_outage_finds_nothing_gone(self, name: str) -> None:
        """What cannot be told is left out: a tombstone erases the post from every CRM."""
        if name in self.gone_words:
            return
        with self.play() as watch:
            self.say(watch, 1, 2)
            self.poll(watch)
            signals = [watch.reader.signal(number) for number in (1, 2)]
            for calls in range(2):
                watch.line.set_faults({**{**OUTAGES, **ODD, **REFUSALS, **_MISSING}[name], "after": calls})
                with suppress(ConnectorError):
                    assert _gone(watch, signals) == [], f"under {name} a post is told to be gone"


def _with_other_secrets(options: Any) -> Any:
    """Return the options with a letter more in each secret."""
    secret = {
        name: SecretStr(f"{value.get_secret_value()}x") for name, value in options if isinstance(value, SecretStr)
    }
    return options.model_copy(update=secret)


def _gone(watch: Watch, signals: list[Signal]) -> list[str]:
    """Return the keys that a recheck says are gone; each is one that was asked about."""
    found = list(watch.source.recheck(watch.reader.ctx, signals))
    assert all(isinstance(one, Tombstone) for one in found), "recheck gives Tombstones"
    assert {one.key for one in found} <= {one.key for one in signals}, "a tombstone for a post that was not asked about"
    late = [one.at for one in found if one.at.tzinfo is None or one.at > watch.clock.at]
    assert not late, f"a tombstone of {late}: its time is aware and not in the future"
    return [one.key for one in found]
