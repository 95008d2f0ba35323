"""Times as networks, feeds and people write them, as aware UTC. Pure, and nothing raises.

dateparser reads most of these forms at 40 ms each; dateutil misses those with names and takes a missing year from the clock.
Hence own forms, the common ones first.
"""

from __future__ import annotations

import math
import re
from calendar import isleap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import cache
from zoneinfo import ZoneInfo

from hub.core.grammar.fold import fold, plain

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?[0-9]{9,20}(?:\.[0-9]{1,20})?")
_RUN_TOGETHER = re.compile(
    r"((?:19|20)[0-9]{6})([0-9]{4}(?:[0-9]{2})?)"
)  # 20260601080000: as a number it is the year 2612
_YEAR_OR_MONTH = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")
_JSON_DATE = re.compile(r"\\?/Date\((-?[0-9]{1,18})(?:[+-][0-9]{4})?\)\\?/")  # .NET: the offset is for show
_ISO = re.compile(
    r"([0-9]{4}-?W[0-9]{2}(?:-?[0-9])?|[0-9]{4}-?[0-9]{3}|[0-9]{4}-?[0-9]{2}-?[0-9]{2})"
    r"(?:[Tt ]+([0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)(?:[.,]([0-9]{1,12}))?)?\s*([Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_ORDINAL = re.compile(r"([0-9]{4})-?([0-9]{3})")
_RFC_2822 = re.compile(
    r"(?:[A-Za-z]{3},? +)?[0-9]{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4}"
    r" (?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-5][0-9])? (?:[+-][0-9]{4}|GMT|UTC?)"
)
_LONGEST = 80


def parse_time(value: str | float | None) -> datetime | None:
    """Return a time as aware UTC, None if it is none.

    Reads ISO 8601 and its variants (weeks, days of the year), RFC 2822, seconds since 1970 (a number too large for seconds is
    taken as milli-, micro- or nanoseconds), and what people and programs write in about forty languages. Without a zone it
    is UTC. Numbers with dots or hyphens have the day first, with slashes the year, the month if the clock has AM or PM, or what
    is above 12; other ones are no time, since half of their readers would be wrong. IST is India's, BST Britain's, CST America's.
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        if isinstance(value, int | float):
            return _from_epoch(value)
        text = value.strip()
        return _from_text(text) if 4 <= len(text) <= _LONGEST else None
    except (ValueError, OverflowError, TypeError, IndexError, AttributeError, LookupError, OSError):
        return None


def _from_epoch(number: float) -> datetime | None:
    if not math.isfinite(number):
        return None
    size = abs(number)
    scale = 1 if size < 1e11 else 10**3 if size < 1e14 else 10**6 if size < 1e17 else 10**9
    if isinstance(number, int):
        return _EPOCH + timedelta(microseconds=number * 10**6 // scale)
    return _EPOCH + timedelta(seconds=number / scale)


def _from_text(text: str) -> datetime | None:
    if found := _RUN_TOGETHER.fullmatch(text):
        text = f"{found[1]}T{found[2]}"
    elif _NUMBER.fullmatch(text):
        return _from_epoch(float(text) if "." in text else int(text))
    if found := _YEAR_OR_MONTH.fullmatch(text):
        return datetime(int(found[1]), int(found[2] or 1), 1, tzinfo=UTC)
    if found := _ISO.fullmatch(text):
        return _from_iso(found)
    if _RFC_2822.fullmatch(text):
        return _utc(parsedate_to_datetime(text))
    if found := _JSON_DATE.fullmatch(text):
        return _from_epoch(int(found[1]))
    return _from_words(plain(text))


def _from_iso(found: re.Match[str]) -> datetime:
    """Rewrite date, time, fraction and zone as `fromisoformat` reads them; a leap second is the second after."""
    date, time, fraction, zone = found.groups()
    extra = timedelta()
    if ordinal := _ORDINAL.fullmatch(date):
        date, extra = f"{ordinal[1]}-01-01", _days(int(ordinal[1]), int(ordinal[2]))
    time = (time or "00:00").replace(":", "")
    leap = len(time) == 6 and time.endswith("60")
    midnight = time in ("24", "2400", "240000")
    time = "0000" if midnight else time[:4] + "59" if leap else time
    zone = "+00:00" if zone in (None, "Z", "z", "UTC", "GMT") else zone
    read = datetime.fromisoformat(f"{date}T{time}{zone}")
    return _utc(read + extra + timedelta(days=midnight, seconds=leap, microseconds=_micro(fraction)))


def _days(year: int, ordinal: int) -> timedelta:
    if not 1 <= ordinal <= 365 + isleap(year):
        raise ValueError("no day of the year")
    return timedelta(days=ordinal - 1)


def _micro(fraction: str | None) -> int:
    return int((fraction or "0")[:6].ljust(6, "0"))


def _utc(time: datetime) -> datetime:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


# -------------------------------------------------------------------------------------------------- as people write it

_CLOCK = re.compile(
    r"(?:(?<=[0-9])t)?(?<![0-9:.])([0-9]{1,2})"
    r"(?:[:時时시点點] ?([0-9]{2})(?:[:分분] ?([0-9]{2})(?:[.,]([0-9]{1,12}))?)?[分분秒초]?"
    r"|\.([0-9]{2})(?= ?uhr)| ?h ?([0-9]{2})?\b|(?= ?(?:uhr\b|[ap]\.? ?m\b)))"
    r" ?(?:uhr\b|h\b)? ?([ap]\.? ?m\b\.?)?",
    re.IGNORECASE,
)
_ZONE = re.compile(
    r" ?(?:([A-Z][A-Za-z]+(?:/[A-Za-z_+-]{1,30}){1,2})"
    r"|(?:UTC?|GMT|Z)? ?([+-])([0-9]{1,2})(?::?([0-9]{2}))?(?![0-9:])|([A-Z]{1,5}|[A-Za-z]{2,5})\b)"
)
_REMARK = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_MORNING = re.compile("上午|午前|오전")
_EVENING = re.compile("下午|午後|오후")
_YEAR_FIRST = re.compile(r"([0-9]{4}) ?([./年년-]) ?([0-9]{1,2}) ?(?:[./월月-]) ?([0-9]{1,2})(?![0-9])")
_NUMBERS = re.compile(r"([0-9]{1,2})([./-]) ?([0-9]{1,2})\2 ?([0-9]{4}|[0-9]{2})(?![0-9])")
_PIECES = re.compile(r"[0-9]+|[^\s0-9!-/:-@\[-`{-~\u060c\u3001\uff0c]+")
# Danes, Finns, Italians and Indonesians write a dot in a clock.
_DOTTED = re.compile(
    r"(\b(?:klo|kl|ore|alle|pukul)\.? |(?<=[0-9]{4}) )([0-9]{1,2})\.([0-5][0-9])(?![0-9.])", re.IGNORECASE
)
_NUMBERED_MONTH = re.compile(
    r"(?<![0-9])([0-9]{1,2})[ ,]+(?:(?:thang ?|th)([0-9]{1,2})|([0-9]{1,2}) ?[월月])[ ,]+([0-9]{4})(?![0-9])"
)
_THAI = re.compile("[\u0e00-\u0e7f]")
_THAI_DOT = re.compile("(?<=[\u0e00-\u0e7f])[.](?=[\u0e00-\u0e7f])")
_BUDDHIST_ERA = 543
_LONG_ZONE = re.compile(
    r"\b((?:(?:Central|Eastern|Western) European|Eastern|Central|Mountain|Pacific|Atlantic|British|Greenwich|Coordinated|Japan"
    r"|Korean|India|Australian (?:Eastern|Central|Western)|New Zealand)(?: (?:Standard|Daylight|Summer|Mean|Universal))?) Time\b"
)


def _from_words(text: str) -> datetime | None:
    """Read a date and, if there is one, a clock and a zone; None if a part of the text means nothing."""
    text = _LONG_ZONE.sub(_initials, _DOTTED.sub(r"\1\2:\3", text))
    remark = _REMARK.search(text)
    text = _REMARK.sub(" ", text)
    clock = _CLOCK.search(text)
    if clock is None:
        date = _date(text, month_first=False)
        return date.replace(tzinfo=UTC) if date else None
    zone, end = _zone(text, clock.end(), remark[1] if remark else "")
    half = "a" if _MORNING.search(text) else "p" if _EVENING.search(text) else (clock[7] or "")[:1].lower()
    date = _date(f"{text[: clock.start()]} {text[end:]}", month_first=bool(clock[7]))
    return _utc((date + _since_midnight(clock, half)).replace(tzinfo=zone)) if date else None


def _initials(found: re.Match[str]) -> str:
    """Return the usual short form of a zone's whole name."""
    short = "".join([word[0] for word in found[1].split()]) + "T"
    return "UTC" if short == "CUT" else short


def _since_midnight(clock: re.Match[str], half: str) -> timedelta:
    hour, minute, second = int(clock[1]), int(clock[2] or clock[5] or clock[6] or 0), int(clock[3] or 0)
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + 12 * (half == "p")
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second)):
        raise ValueError("no time of a day")
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=_micro(clock[4]))


def _zone(text: str, at: int, remark: str) -> tuple[tzinfo, int]:
    """Return the zone that stands after the clock, else that of a remark in brackets, and where the text goes on.

    A name that is not known is UTC, as RFC 2822 has it.
    """
    found = _ZONE.match(text, at)
    if found is None:
        return (_named(remark) if remark else None) or UTC, at
    place, sign, hours, minutes, name = found.groups()
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-offset if sign == "-" else offset), found.end()
    if name and not name.isupper():  # a word of another language, unless it is a zone's name
        zone = _named(name.upper())
        return (zone, found.end()) if zone else (UTC, at)
    return _named(place or name) or UTC, found.end()


def _named(name: str) -> tzinfo | None:
    if "/" in name or name in _PLACES:
        return ZoneInfo(_PLACES.get(name, name))
    return timezone(timedelta(hours=_HOURS[name])) if name in _HOURS else None


def _date(text: str, *, month_first: bool) -> datetime | None:
    if found := _YEAR_FIRST.search(text):
        return datetime(int(found[1]), int(found[3]), int(found[4]))  # noqa: DTZ001 - its zone comes later
    if found := _NUMBERS.search(text):
        return _of_numbers(found, month_first=month_first)
    folded = fold(text)
    if found := _NUMBERED_MONTH.search(folded):
        return datetime(int(found[4]), int(found[2] or found[3]), int(found[1]))  # noqa: DTZ001 - its zone comes later
    if not _THAI.search(text):
        return _of_month(_PIECES.findall(folded))
    date = _of_month(_PIECES.findall(_THAI_DOT.sub("", folded)))
    return date and date.replace(year=date.year - (_BUDDHIST_ERA if date.year > 2400 else 0))


def _of_numbers(found: re.Match[str], *, month_first: bool) -> datetime | None:
    day, month, year = int(found[1]), int(found[3]), _year(found[4])
    if found[2] == "/" and (month_first or month > 12):
        day, month = month, day
    elif (found[2] == "/" and day <= 12 and day != month) or (found[2] == "-" and len(found[4]) == 2):
        return None
    return datetime(year, month, day)  # noqa: DTZ001 - its zone comes later


def _of_month(pieces: list[str]) -> datetime | None:
    """Read a date with its month's name; the first words may be a day of the week, which may look like a month (`mar.`)."""
    words = [piece for piece in pieces if not piece.isdecimal() and piece not in _FILLING]
    numbers = [piece for piece in pieces if piece.isdecimal()]
    if 2 <= len(words) <= 3:  # `segunda-feira` is two
        words = words[-1:] if words[-1] in _months() else words[: len(words) - 1]
    if len(words) != 1 or len(numbers) != 2 or len(numbers[0]) == 3:
        return None
    day, year = reversed(numbers) if len(numbers[0]) == 4 else numbers
    return datetime(_year(year), _months()[words[0]], int(day))  # noqa: DTZ001 - its zone comes later


def _year(digits: str) -> int:
    """Return a year; of two digits as POSIX has them, 1969 to 2068."""
    number = int(digits)
    if len(digits) not in (2, 4):
        raise ValueError("no year")
    return number if len(digits) == 4 else number + (1900 if number > 68 else 2000)


_FILLING = frozenset(
    (
        *(
            "st",
            "nd",
            "rd",
            "th",
            "er",
            "de",
            "del",
            "di",
            "d",
            "of",
            "the",
            "le",
            "el",
            "al",
            "a",
            "as",
            "um",
            "am",
            "at",
            "om",
            "op",
        ),
        *(
            "den",
            "der",
            "kl",
            "klo",
            "uhr",
            "alle",
            "ore",
            "h",
            "t",
            "ve",
            "г",
            "года",
            "в",
            "року",
            "р",
            "το",
            "στις",
            "на",
            "у",
        ),
    )
)

# Months as CLDR writes them beside a day: one line a language, January first.
_NAMES = """
january february march april may june july august september october november december
janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro
januar februar marz april mai juni juli august september oktober november dezember
januari februari maart april mei juni juli augustus september oktober november december
januari februari mars april maj juni juli augusti september oktober november december
januar februar marts april maj juni juli august september oktober november desember
stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia
ledna unora brezna dubna kvetna cervna cervence srpna zari rijna listopadu prosince
ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie
januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december
ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik
januari februari maret april mei juni juli agustus september oktober november desember
gener febrer marc abril maig juny juliol agost setembre octubre novembre desembre
января февраля марта апреля мая июня июля августа сентября октября ноября декабря
січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня
януари февруари март април май юни юли август септември октомври ноември декември
јануар фебруар март април мај јун јул август септембар октобар новембар децембар
يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر
ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר
בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר
जनवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर
জানুয়ারি ফেব্রুয়ারি মার্চ এপ্রিল মে জুন জুলাই আগস্ট সেপ্টেম্বর অক্টোবর নভেম্বর ডিসেম্বর
มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม
一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月
ιανουαριου φεβρουαριου μαρτιου απριλιου μαιου ιουνιου ιουλιου αυγουστου σεπτεμβριου οκτωβριου νοεμβριου δεκεμβριου
"""
# Beginnings of these are other languages' months. In Croatian `listopada` is October: more people write it in Polish.
_WHOLE = """
มค กพ มีค เมย พค มิย กค สค กย ตค พย ธค
sijecnja veljace ozujka travnja svibnja lipnja srpnja kolovoza rujna - studenoga prosinca
januarja februarja marca aprila maja junija julija avgusta septembra oktobra novembra decembra
januara februara marca aprila maja juna jula augusta septembra oktobra novembra decembra
jan feb mar apr maj jun jul avg sep okt nov dec
januar februar mart april maj jun jul avgust septembar oktobar novembar decembar
jaanuar veebruar marts aprill mai juuni juuli august september oktoober november detsember
sausio vasario kovo balandzio geguzes birzelio liepos rugpjucio rugsejo spalio lapkricio gruodzio
janvaris februaris marts aprilis maijs junijs julijs augusts septembris oktobris novembris decembris
januari februari mac april mei jun julai ogos september oktober november disember
enero pebrero marso abril mayo hunyo hulyo agosto setyembre oktubre nobyembre disyembre
xaneiro febreiro marzo abril maio xuno xullo agosto setembro outubro novembro decembro
tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesakuuta heinakuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta
"""
_SHORT = {"mrz": 3, "mrt": 3, "mrc": 3, "май": 5, "июнь": 6, "июль": 7}


@cache
def _months() -> dict[str, int]:
    """Return the months by name and by each beginning of three letters or more that no other month has."""
    found: dict[str, set[int]] = {}
    for number, name in _numbered(_NAMES):
        for length in range(3, len(name)):
            found.setdefault(name[:length], set()).add(number)
    short = {beginning: min(numbers) for beginning, numbers in found.items() if len(numbers) == 1}
    whole = {name: number for number, name in _numbered(_WHOLE + _NAMES) if name != "-"}
    return short | whole | _SHORT


def _numbered(names: str) -> Iterator[tuple[int, str]]:
    for line in names.splitlines():
        yield from enumerate(fold(line).split(), 1)


# Hours east of Greenwich. Of names that several places use, the one that RFC 2822 names, else the one with most people.
_ZONES: dict[float, str] = {
    0: "UTC GMT UT Z WET GHST EGST",
    -1: "CVT AZOT EGT",
    1: "WEST BST CET MET MEZ WAT",
    2: "CEST MEST MESZ EET OEZ CAT SAST",
    3: "EEST OESZ MSK TRT EAT IDT",
    3.5: "IRST",
    4: "MSD GST SAMT GET AZT",
    4.5: "AFT IRDT",
    5: "PKT UZT YEKT TJT TMT MVT",
    5.5: "IST SLST LKT",
    5.75: "NPT",
    6: "BDT OMST ALMT KGT BTT",
    6.5: "MMT",
    7: "WIB ICT KRAT NOVT CXT HOVT",
    8: "WITA HKT SGT MYT PHT AWST IRKT ULAT BNT CHOT",
    9: "JST KST WIT YAKT PWT TLT",
    9.5: "ACST",
    10: "AEST VLAT CHST PGT",
    10.5: "ACDT LHST",
    11: "AEDT MAGT NFT SBT VUT LHDT",
    12: "NZST PETT FJT WAKT",
    12.75: "CHAST",
    13: "NZDT TOT",
    13.75: "CHADT",
    14: "LINT",
    -2: "BRST FNT WGT PMDT",
    -2.5: "NDT HAT",
    -3: "BRT ART UYT CLST ADT HAA GFT SRT FKT PMST AMST",
    -3.5: "NST HNT",
    -4: "EDT HAE AST HNA CLT VET BOT AMT PYT GYT",
    -5: "EST HNE CDT HAC COT PET ECT EASST",
    -6: "CST HNC MDT HAR EAST GALT",
    -7: "MST HNR PDT HAP",
    -8: "PST HNP AKDT HAY",
    -9: "AKST HNY HDT HADT GAMT",
    -9.5: "MART",
    -10: "HST HAST CKT TAHT",
    -11: "SST",
}
_HOURS = {name: hours for hours, names in _ZONES.items() for name in names.split()}
# Names that stand for winter and summer alike.
_PLACES = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
