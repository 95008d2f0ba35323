"""Words for people: the gist of a post, names in two parts, numbers with their nouns, ratings."""

from __future__ import annotations

import pytest

from hub.core.grammar.names import is_company, split_name
from hub.core.grammar.words import counted, gist, network_name, stars

NAMES = [
    ("Ann Lee", "Ann", "Lee"),
    ("Ann", "", "Ann"),
    ("", "", ""),
    ("💥💥", "", ""),
    # particles
    ("Bram van Dijk", "Bram", "van Dijk"),
    ("van Dijk", "", "van Dijk"),
    ("Ludwig van der Rohe", "Ludwig", "van der Rohe"),
    ("María de la Cruz", "María", "de la Cruz"),
    ("José Ortega y Gasset", "José", "Ortega y Gasset"),
    ("محمد بن سلمان", "محمد", "بن سلمان"),
    ("Prof. Dr. Karl-Heinz von der Leyen", "Karl-Heinz", "von der Leyen"),
    # what people add to their names on networks
    ("Anna Müller (she/her)", "Anna", "Müller"),
    ("Anna Müller she/her 🏳️‍🌈", "Anna", "Müller"),
    ("👩‍💻 Ada Lovelace 👩‍💻", "Ada", "Lovelace"),
    ("Ada :verified: Lovelace", "Ada", "Lovelace"),
    ("Ada Lovelace | Journalist", "Ada", "Lovelace"),
    ("Ada Lovelace - Photographer", "Ada", "Lovelace"),
    ("Ada Lovelace @ FOSDEM", "Ada", "Lovelace"),
    ("Ada *** Lovelace™", "Ada", "Lovelace"),
    ("<b>Ada</b> Lovelace", "Ada", "Lovelace"),
    ("Ada & Ann Lovelace", "Ada & Ann", "Lovelace"),
    ("Ada & Ann", "", "Ada & Ann"),
    ("𝓐𝓭𝓪 𝓛𝓸𝓿𝓮𝓵𝓪𝓬𝓮", "Ada", "Lovelace"),
    ("Dr. Anna Müller, PhD", "Anna", "Müller"),
    # the order as it is written
    ("Müller, Anna", "Anna", "Müller"),
    ("Jean DUPONT", "Jean", "DUPONT"),
    ("KIM Min-su", "Min-su", "KIM"),
    ("J. R. R. Tolkien", "J. R. R.", "Tolkien"),
    ("J.R.R. Tolkien", "J.R.R.", "Tolkien"),
    ("Ann M M Lee", "Ann M M", "Lee"),
    ("Jean-Pierre DE LA TOUR", "Jean-Pierre", "DE LA TOUR"),
    ("Петров Иван Сергеевич", "Иван Сергеевич", "Петров"),
    ("Иван Сергеевич Петров", "Иван Сергеевич", "Петров"),
    ("Роман Абрамович", "Роман", "Абрамович"),
    ("JRR Tolkien", "JRR", "Tolkien"),
    ("Ab de Boer", "Ab", "de Boer"),
    ("Maria Sa", "Maria", "Sa"),
    ("Seán Ó Briain", "Seán", "Ó Briain"),
    ("Martin Luther King Jr.", "Martin Luther", "King Jr."),
    # East Asian names begin with the family
    ("王小明", "小明", "王"),
    ("欧阳修", "修", "欧阳"),
    ("山田太郎", "太郎", "山田"),
    ("高橋健", "健", "高橋"),
    ("佐々木希", "希", "佐々木"),
    ("田中 太郎", "太郎", "田中"),
    ("김민수", "민수", "김"),
    ("남궁민수", "민수", "남궁"),
    ("ジョン・スミス", "ジョン", "スミス"),
    ("葵ハル", "", "葵ハル"),
    ("Nguyễn Văn An", "Văn An", "Nguyễn"),
    # accounts of companies, papers, and nicknames are no names of people
    ("Acme GmbH", "", "Acme GmbH"),
    ("Acme, Inc.", "", "Acme, Inc."),
    ("Trail Mix TV", "", "Trail Mix TV"),
    ("Wrenfan 88", "", "Wrenfan 88"),
    ("Der Deichgraf", "", "Der Deichgraf"),
    ("Wold Walker", "Wold", "Walker"),
    ("Carnet de voyage", "", "Carnet de voyage"),
    ("Run Wren Run", "", "Run Wren Run"),
    ("anna lee", "anna", "lee"),
    ("ann@example.social", "", "ann@example.social"),
]


@pytest.mark.parametrize(("name", "given", "family"), NAMES)
def test_a_display_name_has_a_given_and_a_family_name(name: str, given: str, family: str) -> None:
    assert tuple(split_name(name)) == (given, family)


@pytest.mark.parametrize(
    ("name", "company"),
    [
        ("Acme GmbH", True),
        ("Acme AG", True),
        ("Ab de Boer", False),
        ("Trail Mix TV", True),
        ("Ann Lee", False),
        ("Shop", False),
    ],
)
def test_a_company_is_known_by_its_words(name: str, company: bool) -> None:
    assert is_company(name) is company


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@pennywren where do I find the IBAN?", "where do I find the IBAN?"),
        ("@a@b.example, @d: it broke\nagain https://x.example/1?a=b", "it broke again"),
        ("It broke #pennywren #fail @pennywren", "It broke"),
        ("Thanks @pennywren for nothing", "Thanks @pennywren for nothing"),
        ("RT @bob: it broke", "it broke"),
        ("<p>It <b>broke</b></p>", "It broke"),
        ("https://x.example/1", ""),
        ("@a @b", ""),
        ("I hate #pennywren", "I hate #pennywren"),
        ("The card was refused by @pennywren", "The card was refused by @pennywren"),
        ("It broke. @pennywren", "It broke."),
        ("#pennywren #fail", ""),
        ("#pennywren", ""),
        (".@pennywren it broke", "it broke"),
        ("5 < 6 and 7 > 3, says the app", "5 < 6 and 7 > 3, says the app"),
        ("I <3 the app > the shop", "I <3 the app > the shop"),
        ("It broke: https://x.example/1", "It broke"),
        ("(https://x.example/1) it broke", "it broke"),
        ("It broke (see https://x.example/1_(2)) again", "It broke (see) again"),
        ("[it](https://x.example/1) broke", "[it] broke"),
        ("gemini://x.example/1 it broke", "it broke"),
        ("The app has crashed three times since this morning", "The app has crashed three times…"),
        ("The app has crashed three times, since", "The app has crashed three times…"),
        ("ログインできない" * 10, "ログインできない" * 3 + "ログインでき…"),
    ],
)
def test_the_gist_is_what_a_post_says_first(text: str, said: str) -> None:
    assert gist(text, 34 if text.startswith("The") else 31 if text.startswith("ロ") else 80) == said


def test_a_gist_is_never_longer_than_asked() -> None:
    assert all(len(gist("word " * 40 + "x" * 300, limit)) <= limit for limit in range(2, 120))


def test_a_text_of_many_tags_is_read_in_no_time() -> None:
    assert gist("it broke " + "#a " * 100_000 + "again", 20) == "it broke #a #a #a…"


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "signal", "1 signal"),
        (0, "signal", "0 signals"),
        (2, "reply", "2 replies"),
        (25_000, "follower", "25,000 followers"),
        (2_500_000.0, "follower", "2,500,000 followers"),
        (0.5, "star", "0.5 stars"),
        (None, "signal", ""),
    ],
)
def test_a_number_has_its_noun(number: int | None, noun: str, said: str) -> None:
    assert counted(number, noun) == said


@pytest.mark.parametrize(
    ("value", "best", "said"),
    [
        (4, 5, "★★★★☆ 4 of 5"),
        (4.5, 5, "★★★★☆ 4.5 of 5"),
        (8, 10, "8 of 10"),
        (74, 100, "74 of 100"),
        (10 / 3, 5, "★★★☆☆ 3.33 of 5"),
        (None, 5, ""),
    ],
)
def test_a_rating_is_read_as_stars(value: float | None, best: float, said: str) -> None:
    assert stars(value, best) == said


def test_a_network_has_the_name_that_people_give_it() -> None:
    assert [network_name(name) for name in ("mastodon", "rss", "app_store", None)] == [
        "Mastodon",
        "the feed",
        "the App Store",
        "a network",
    ]
