"""Times in all their spellings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.text import parse_time

MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *("2024-05-06T07:08:09Z", "2024-05-06t07:08:09z", "2024-05-06 07:08:09", "2024-05-06T07:08:09"),
        *("20240506T070809Z", "2024-05-06T09:08:09+02:00", "2024-05-06T09:08:09+0200", "2024-05-06T09:08:09+02"),
        *("2024-05-06T07:08:09.000000000Z", "2024-05-06 07:08:09 UTC", "2024-05-06 07:08:09 +0000"),
        *("Mon, 06 May 2024 07:08:09 GMT", "Mon, 6 May 2024 03:08:09 EDT", "06 May 2024 07:08:09 +0000"),
        *("Mon May 06 07:08:09 +0000 2024", " 2024-05-06T07:08:09Z\n", "1714979289", 1714979289, 1714979289.0),
        *("1714979289000", 1714979289000, 1714979289000000, 1714979289000000000, "2024-05-06T07:08:09,000Z"),
    ],
)
def test_a_time_is_read_in_every_common_spelling(value: str | float) -> None:
    assert parse_time(value) == MOMENT


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        ("20240506", datetime(2024, 5, 6, tzinfo=UTC)),
        ("2024-05", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2024-05-06T24:00:00Z", datetime(2024, 5, 7, tzinfo=UTC)),
        ("2024-05-06T07:08:09.1234567Z", MOMENT.replace(microsecond=123456)),
        ("2024-05-06T07:08Z", MOMENT.replace(second=0)),
        (1714979289.25, MOMENT.replace(microsecond=250000)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-86400, datetime(1969, 12, 31, tzinfo=UTC)),
    ],
)
def test_special_times_are_read(value: str | float, time: datetime) -> None:
    assert parse_time(value) == time


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "soon",
            "2024-13-06",
            "2024-02-30T00:00:00Z",
            "9999-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+14:00",
        ),
        *(float("nan"), float("inf"), 10**400, -(10**30), True, None, "x" * 1_000_000, "\ud800", "Mon, 99 Foo 2018"),
    ],
)
def test_what_is_no_time_is_none(value: str | float | None) -> None:
    assert parse_time(value) is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"[0-9TZ:+. -]{4,40}", fullmatch=True)))
def test_parsing_never_raises_and_gives_utc(value: str | float) -> None:
    found = parse_time(value)
    assert found is None or found.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_python_writes_comes_back(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == moment


SIX = datetime(2026, 6, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        *("Mon, 01 Jun 2026 08:00:00 CEST", "Mon, 01 Jun 2026 07:00:00 CET", "Mon, 01 Jun 2026 08:00:00 MEST"),
        *("Mon, 01 Jun 2026 07:00:00 BST", "Mon, 01 Jun 2026 15:00:00 JST", "Mon, 01 Jun 2026 09:00:00 MSK"),
        *("Mon, 01 Jun 2026 02:00:00 EDT", "Mon, 01 Jun 2026 11:30:00 IST"),
        *("Mon Jun 01 2026 08:00:00 GMT+0200 (Central European Summer Time)", "2026-06-01 08:00:00 GMT+2"),
        *("2026-06-01T08:00 UTC+2", "2026-06-01T08:00:00+02", "2026-06-01 06:00:00 AM", "6/1/2026, 6:00:00 AM"),
        *("1 juin 2026 06:00", "lun. 1 juin 2026 08:00 CEST", "lundi 1er juin 2026 à 06h00", "1 giugno 2026 06:00"),
        *("lun 1 giu 2026 06:00:00", "1 de junio de 2026 06:00", "Montag, 1. Juni 2026 06:00 Uhr"),
        *("1. Juni 2026, 06:00", "1 juni 2026 06:00", "1 de junho de 2026 às 06:00", "2026-06-01T06:00:00,000Z"),
        *("2026-06-01t06:00:00z", "2026-06-01T06:00:00.000000000Z", "01.06.2026 06:00", "01.06.2026, 08:00 MESZ"),
        *("2026年6月1日 06:00", "1 июня 2026 06:00", "2026/06/01 06:00:00", "Monday, 01-Jun-26 06:00:00 GMT"),
        *("June 1, 2026 6:00 AM", "June 1st, 2026 at 6:00 am", "Jun 1, 2026, 6:00:00\u202fAM", "2026-W23-1T06:00Z"),
        *("2026-152T06:00Z", "2026-06-01 08:00:00 Europe/Paris", "2026-06-01T08:00+02:00[Europe/Paris]"),
        *("2026-05-31T23:00:00-0700", "Mon, 1 Jun 2026 06:00 Z", "Mon,01 Jun 2026 06:00:00GMT", "1-Jun-2026 06:00"),
        *("1 czerwca 2026 06:00", "1 Haziran 2026 06:00", "2026-06-01 6:00", "20260601060000"),
        *("Mon Jun  1 06:00:00 UTC 2026", "Mon Jun  1 08:00:00 CEST 2026", "Mon Jun 01 06:00:00 +0000 2026"),
        *("/Date(1780293600000)/", "1780293600", "1780293600000", "1780293600.0", "2026-06-01T06:00:00-00:00"),
        *("2026-06-01 08:00:00+0200", "2026-06-01 08:00:00 cest", "2026-06-01 18:45:00 CHAST", "2026-06-01 02:00 HAE"),
        *("1 Jun 2026 02:00 Eastern Daylight Time", "1 Jun 2026 08:00 Central European Summer Time"),
        *("segunda-feira, 1 de junho de 2026 06:00", "1. juni 2026 kl. 06.00", "1 kesäkuuta 2026 klo 6.00"),
        *("1. lipnja 2026 06:00", "1 юни 2026 г., 06:00", "1 Jun 2026 06.00", "周一, 01 6月 2026 06:00:00 +0000"),
        *("Thứ Hai, 1 Tháng 6, 2026 06:00", "T2, 01 Th6 2026 06:00:00 +0000", "จ., 01 มิ.ย. 2569 06:00:00 +0000"),
        *("الإثنين, 01 يونيو 2026 06:00:00 +0000", "1 ביוני 2026 06:00", "सोम, 01 जून 2026 06:00:00 +0000"),
    ],
)
def test_a_time_is_read_as_people_and_programs_write_it(value: str) -> None:
    assert parse_time(value) == SIX


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("Mon, 01 Jun 2026 6:00:00 PM", SIX.replace(hour=18)),
        ("6/1/2026 12:00 AM", SIX.replace(hour=0)),
        ("6/1/2026 12:30 PM", SIX.replace(hour=12, minute=30)),
        ("mar. 3 mars 2026 à 18h30", datetime(2026, 3, 3, 18, 30, tzinfo=UTC)),
        ("mar 3 mar 2026", datetime(2026, 3, 3, tzinfo=UTC)),
        ("15 août 2026", datetime(2026, 8, 15, tzinfo=UTC)),
        ("2 févr. 2026", datetime(2026, 2, 2, tzinfo=UTC)),
        ("12 dicembre 2026 09:00 CET", datetime(2026, 12, 12, 8, tzinfo=UTC)),
        ("Sonntag, 1. März 2026 um 9:05 Uhr MEZ", datetime(2026, 3, 1, 8, 5, tzinfo=UTC)),
        ("25/12/2026", datetime(2026, 12, 25, tzinfo=UTC)),
        ("12/25/2026", datetime(2026, 12, 25, tzinfo=UTC)),
        ("02-06-2026", datetime(2026, 6, 2, tzinfo=UTC)),
        ("2.6.26", datetime(2026, 6, 2, tzinfo=UTC)),
        ("6/6/2026", datetime(2026, 6, 6, tzinfo=UTC)),
        ("01-Jun-70", datetime(1970, 6, 1, tzinfo=UTC)),
        ("Thu, 31 Dec 2016 23:59:60 GMT", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Sun, 31 May 2026 24:00:00 GMT", datetime(2026, 6, 1, tzinfo=UTC)),
        ("1 Jun 2026 08:00:00 XYZ", SIX.replace(hour=8)),
        ("1 Dec 2026 1:00 PM ET", datetime(2026, 12, 1, 18, tzinfo=UTC)),
        ("1 Jun 2026 1:00 PM ET", SIX.replace(hour=17)),
        ("2026年6月1日 下午6:00", SIX.replace(hour=18)),
        ("2026-06-01T08:00:00.5−02:00", datetime(2026, 6, 1, 10, 0, 0, 500000, tzinfo=UTC)),
        ("2024-366", datetime(2024, 12, 31, tzinfo=UTC)),
    ],
)
def test_halves_of_days_months_and_zones_are_told_apart(value: str, time: datetime) -> None:
    assert parse_time(value) == time


@pytest.mark.parametrize(
    "value",
    [
        *(
            "01/06/2026",
            "01/06/2026 08:00",
            "01/06/26",
            "26-06-01",
            "32/13/2026",
            "13:00 PM 1 Jun 2026",
            "1 Jun 2026 25:00",
        ),
        *(
            "2023-366",
            "2026-W54",
            "1 vendemiaire 2026",
            "Jun 1 2 2026",
            "between 1 and 2 June 2026",
            "1 Jun 2026 10:00 No/where",
        ),
    ],
)
def test_what_readers_take_differently_is_no_time(value: str) -> None:
    assert parse_time(value) is None
