"""What senders write, and browsers read: bare ampersands, halves of characters, vendors' encodings, entities in titles."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import process_time

import pytest

from hub import RawItem, Signal
from hub.testkit.fakes import START
from plugins.rss.client import read
from plugins.rss.translate import translate
from tests.material import shared
from tests.plugins.rss.feeds import item, rss


def told(case: str) -> list[Signal]:
    """The signals of a document that was reported as misread."""
    payloads = read(shared(f"cases/{case}.xml").read_bytes()).payloads
    raws = [RawItem("r", "rss", payload, START, "1", "https://feeds.example/") for payload in payloads]
    return [signal for raw in raws for signal in translate(raw).signals]


def test_halves_of_a_character_are_joined_and_one_alone_harms_no_entry() -> None:
    party, half = told("03-rss-surrogate-references")
    assert (party.title, party.text) == ("Party 😀 time", "Smile 😀 😀 done")
    assert half.title == "Half \ufffd only"


def test_an_ampersand_that_begins_no_reference_is_one() -> None:
    (signal,) = told("05-rss-bare-ampersand")
    assert signal.title == "We do D&D on a server, R&D too, AT&T"
    assert (signal.url, signal.native_id) == (
        "https://g.example/view?id=7&cat=news&lang=en",
        "https://g.example/?p=7&x=1",
    )
    assert signal.media[0].url == "https://g.example/i.php?w=1&h=2"


@pytest.mark.parametrize("title", ["A", "A &nbsp; B", "Caf&eacute;", "A<br>B", "A & B", "</b>A", "&copy &copy; A"])
def test_an_entry_keeps_its_key_whatever_another_entry_writes(title: str) -> None:
    payloads = read(rss(item("https://g.example/?p=7&amp;x=1"), item("other", title=title))).payloads
    assert [json.loads(payload)["entry"]["id"] for payload in payloads] == ["https://g.example/?p=7&x=1", "other"]


def test_an_encoding_is_read_as_browsers_read_its_name() -> None:
    (signal,) = told("07-rss-shift-jis")
    assert (signal.title, signal.text) == ("アクメ①障害", "日本語")


def test_entities_in_a_title_are_characters() -> None:
    titles = [signal.title for signal in told("16-rss-title-entities")]
    assert titles[0] == 'Re: Store says "closed" & refuses'
    assert titles[2:5] == ["One big 'regret' of 3 < 4", "AT&T ’s plan & more", "AT&T plain"]


def test_the_names_of_zones_count() -> None:
    assert {signal.published_at for signal in told("08-rss-zone-names")} == {datetime(2026, 6, 1, 6, tzinfo=UTC)}


@pytest.mark.parametrize(
    "date", ["lun. 1 juin 2026 08:00 CEST", "lun, 1 giu 2026 06:00:00 +0000", "Mon, 01 Jun 2026 6:00:00 AM"]
)
def test_dates_in_other_languages_are_read(date: str) -> None:
    document = f"<rss><channel><item><guid>1</guid><title>t</title><pubDate>{date}</pubDate></item></channel></rss>"
    (payload,) = read(document.encode()).payloads
    (signal,) = translate(RawItem("r", "rss", payload, START, "1", "https://feeds.example/")).signals
    assert signal.published_at == datetime(2026, 6, 1, 6, tzinfo=UTC)


TITLE = "<rss><channel><item><title>{}</title><guid>1</guid></item></channel></rss>"


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("a &#x1F600; b", "a 😀 b"),
        ("a &#xD83D;&#xDE00; b", "a 😀 b"),
        ("a &#xDE00; b", "a \ufffd b"),
        ("a &#xD83D;&#xD83D;&#xDE00; b", "a \ufffd😀 b"),
        ("a &#1114112; b", "a \ufffd b"),
        (f"a &#{'9' * 5000}; b", "a \ufffd b"),
        ("<![CDATA[R&D]]>", "R&D"),
        ("R&D <![CDATA[R&D]]> R&D", "R&D R&D R&D"),
        ("caf&eacute;", "café"),
        ("&", "&"),
        ("a &b; c", "a &b; c"),
    ],
)
def test_references_are_read_whatever_senders_write(written: str, title: str) -> None:
    payload = read(TITLE.format(written).encode()).payloads[0]
    signal = translate(RawItem("r", "rss", payload, START, "1", "https://feeds.example/")).signals[0]
    assert signal.title == title


@pytest.mark.parametrize(
    ("name", "text"),
    [("euc-kr", "똠방각하"), ("gb2312", "朱镕基"), ("big5", "着"), ("shift_jis", "髙島屋"), ("windows-874", "ไทย")],
)
def test_characters_of_vendors_are_kept(name: str, text: str) -> None:
    wider = {"euc-kr": "cp949", "gb2312": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "windows-874": "cp874"}
    written = f'<?xml version="1.0" encoding="{name}"?>' + TITLE.format(text)
    payload = read(written.encode(wider[name])).payloads[0]
    assert translate(RawItem("r", "rss", payload, START, "1")).signals[0].title == text


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("euc-jp", b"\xad\xa1\xfc\xe2\xf9\xf5"),
        ("iso-2022-jp", b"\x1b$B-!|byu\x1b(B"),
        ("shift_jis", b"\x87\x40\xee\xe0\xed\x95"),
    ],
)
def test_the_kanji_of_a_name_that_only_vendors_have_are_those(label: str, written: bytes) -> None:
    begin, end = TITLE.split("{}")
    document = f'<?xml version="1.0" encoding="{label}"?>{begin}'.encode() + written + end.encode()
    assert one(document).title == "①髙﨑"


@pytest.mark.parametrize(
    ("label", "written", "title"),
    [
        ("gbk", b"5 \x80", "5 €"),
        ("utf-8", b"\xed\xa0\xbd\xed\xb8\x80 \xed\xa0\xbd", "😀 \ufffd"),
        ("iso88592", b"\xae", "Ž"),
        ("csisolatin9", b"\xa4", "€"),
    ],
)
def test_bytes_that_python_refuses_are_read_as_browsers_do(label: str, written: bytes, title: str) -> None:
    begin, end = TITLE.split("{}")
    assert one(f'<?xml version="1.0" encoding="{label}"?>{begin}'.encode() + written + end.encode()).title == title


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("R&D; more", "R&D; more"),
        ("<![CDATA[R&D; more]]>", "R&D; more"),
        ("&amp;check; done", "✓ done"),
        ("<![CDATA[&check; done &hellip;]]>", "✓ done …"),
    ],
)
def test_a_semicolon_behind_a_name_that_html_4_lacks_stays(written: str, text: str) -> None:
    signal = one(
        rss(f"<item><guid>1</guid><link>https://a.example/?x&b;c</link><description>{written}</description></item>")
    )
    assert (signal.text, signal.url) == (text, "https://a.example/?x&b;c")


def test_a_document_of_ampersands_takes_no_longer_than_its_length() -> None:
    began = process_time()
    read(b"<rss>" + b"&" * 200_000 + b"&#55357;" * 50_000 + b"</rss>")
    assert process_time() - began < 5


@pytest.mark.parametrize(
    ("label", "codec", "written"),
    [
        ("x-sjis", "cp932", "アクメ①"),
        ("ks_c_5601-1987", "cp949", "믜 아크메"),
        ("gb2312", "gb18030", "镕 阿克梅"),
        ("big5", "big5hkscs", "嘅 艾克"),
        ("iso-8859-9", "cp1254", "“ığdır” €"),
        ("ISO-8859-1", "cp1252", "“Zoë” – €"),
        ("macintosh", "mac_roman", "“Zoë”"),
        ("x-mac-cyrillic", "mac_cyrillic", "Привет"),
        ("koi8-r", "koi8_r", "Привет"),
        ("windows-1251", "cp1251", "Привет"),
        ("tis-620", "cp874", "สวัสดี “"),
        ("euc-jp", "euc_jp", "アクメ日本語"),
        ("iso-2022-jp", "iso2022_jp", "アクメ日本語"),
        ("utf8", "utf-8", "Zoë 😀"),
        ("no-such-thing", "utf-8", "Zoë 😀"),
        ("base64", "utf-8", "Zoë 😀"),
    ],
)
@pytest.mark.parametrize("where", ["declared", "answered", "both, one wrong"])
def test_a_label_means_what_browsers_take_it_for(label: str, codec: str, written: str, where: str) -> None:
    declared = f' encoding="{"utf-8" if where == "both, one wrong" else label}"' if where != "answered" else ""
    body = rss(item("1", title=written)).decode().replace("?>", f"{declared}?>", 1)
    content_type = {} if where == "declared" else {"content-type": f"application/rss+xml; charset={label}"}
    (payload,) = read(body.encode(codec), content_type).payloads
    assert json.loads(payload)["entry"]["title"] == written


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_mark_or_zeros_tell_an_encoding_that_nothing_names(codec: str) -> None:
    body = rss(item("a", title="Zoë 😀")).decode().replace("?>", ' encoding="iso-8859-1"?>', 1)
    (payload,) = read(body.encode(codec), {"content-type": "text/xml; charset=windows-1252"}).payloads
    assert json.loads(payload)["entry"]["title"] == "Zoë 😀"


def test_one_wrong_byte_spoils_no_other_letter() -> None:
    document = rss(item("a", title="Zoë und Grüße X")).replace(b"X", b"\xff")
    (payload,) = read(document).payloads
    assert json.loads(payload)["entry"]["title"] == "Zoë und Grüße \ufffd"


def one(document: bytes, **headers: str) -> Signal:
    """The only signal of a document."""
    (payload,) = read(document, {name.replace("_", "-"): value for name, value in headers.items()}).payloads
    return translate(RawItem("r", "rss", payload, START, "1", "https://feeds.example/f.xml")).signals[0]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Caf&eacute; &hellip; &copy 2026", "Café … © 2026"),
        ("AT&amp;amp;T &amp;#39;x&amp;#39;", "AT&T 'x'"),
        ("<![CDATA[Caf&eacute; <b>bold</b> &#x1F600; &#xD83D;&#xDE00;]]>", "Café bold 😀 😀"),
        ("a&#0;b&#8;c&#150;d", "abc–d"),
        ("a\x00b\x08c", "abc"),
    ],
)
def test_a_title_reads_as_its_sender_meant_it(written: str, title: str) -> None:
    assert one(rss(f"<item><guid>1</guid><title>{written}</title></item>")).title == title


@pytest.mark.parametrize(
    ("guid", "url"),
    [
        ("<guid>https://a.example/p</guid>", "https://a.example/p"),
        ('<guid isPermaLink="false">https://a.example/p</guid>', None),
        ("<guid>https://a.example/p</guid><link>/l</link>", "https://feeds.example/l"),
        ("<guid>tag:a.example,2026:1</guid>", None),
        ("<guid>4711</guid>", None),
    ],
)
def test_a_guid_is_an_address_only_if_it_looks_like_one(guid: str, url: str | None) -> None:
    assert one(rss(f"<item>{guid}<title>t</title></item>")).url == url


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de" xml:base="https://base.example/blog/"><id>f</id><title>F</title>
<entry xml:base="sub/"><id>urn:1</id><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">A <b>b</b> &lt;c&gt;</div>
</title><link rel="self" href="s"/><link rel="alternate" type="application/json" href="j"/>
<link rel="alternate" type="text/html" href="h"/>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>one <a href="y">l</a></p></div></content></entry></feed>"""


def test_an_entry_of_atom_has_its_own_base_and_its_link_for_people() -> None:
    signal = one(ATOM.encode())
    assert (signal.title, signal.text, signal.lang, signal.url) == (
        "A b <c>",
        "one l",
        "de",
        "https://base.example/blog/sub/h",
    )
    assert "https://base.example/blog/sub/y" in (signal.html or "")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_a_json_feed_is_read_in_its_encoding_and_with_any_number(codec: str) -> None:
    items = '[{"id": 5, "content_text": "é", "x": NaN, "y": ' + "9" * 5000 + "}]"
    document = f'{{"version": "https://jsonfeed.org/version/1.1", "title": "F", "items": {items}}}'.encode(codec)
    assert one(document, content_type=f"application/json; charset={codec}").text == "é"


def test_a_bare_tab_in_one_text_of_a_json_feed_loses_no_entry() -> None:
    items = b'[{"id": 1, "content_text": "a\tb\x01"}]'
    assert one(b'{"version": "https://jsonfeed.org/version/1.1", "items": ' + items + b"}").text == "a\tb"


def test_an_enclosure_that_is_not_in_the_web_is_told() -> None:
    (payload,) = read(
        rss('<item><guid>1</guid><title>t</title><enclosure url="ftp://a.example/x.mp3"/></item>')
    ).payloads
    found = translate(RawItem("r", "rss", payload, START, "1"))
    assert (found.signals[0].media, found.left_out.split()[0]) == ((), "1")
