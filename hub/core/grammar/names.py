"""A display name in the two parts that a CRM keeps: rather one part that is right than two that are not.

Names that people give themselves on networks hold emoji, pronouns, titles, a trade after a bar; accounts of companies and
nicknames are no names of people. What cannot be told is a family name whole, since that is the one a CRM demands.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from unicodedata import category, normalize


class SplitName(NamedTuple):
    """A name's parts; `given` is empty if there is one part only, both are if the text holds no letter."""

    given: str
    family: str


def _listed(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_SHORTCODE = re.compile(r":[A-Za-z0-9_+-]+:")
_VOWELS = frozenset("AEIOUY")
_JOINTS = frozenset("&")  # signs that stand for a word
_BRACKETED = re.compile(r"[(\[{（【〔「<][^()\[\]{}（）【】〔〕「」<>]*[)\]}）】〕」>]")
_AFTER = re.compile(r"\s*(?:[|｜·•~＠]|//|\s[-–—/]\s|\s@\s?).*\Z")
_PRONOUN = _listed(
    "she her hers he him his they them theirs xe xem ze zir it its ey em any all sie ihr er ihm ihn elle",
    "elles il lui iel ella él elle/il ela ele lei hij hem zij hen die diens dey denen",
)
_ANY_PRONOUN = "|".join(map(re.escape, sorted(_PRONOUN, key=len, reverse=True)))
_PRONOUNS = re.compile(rf"(?:\A|[\s,])(?:{_ANY_PRONOUN})(?:/(?:{_ANY_PRONOUN}))+(?=[\s,]|\Z)", re.IGNORECASE)
_TITLES = _listed(
    "dr dr. prof prof. mr mr. mrs mrs. ms ms. miss sir dame lady lord rev rev. frau herr hr. fr. mme",
    "mme. mlle monsieur madame dott. dott.ssa dra dra. sra. sig. sig.ra dipl.-ing. dipl. ing. ing mag.",
    "msc. doc hon. pr. pr",
)
_DEGREES = _listed(
    "phd ph.d ph.d. md m.d. mba msc m.sc. bsc b.sc. ma m.a. ba b.a. llm ll.m. cpa esq esq. rn dds jd",
    "j.d. frcp mbe obe",
)
_GENERATIONS = _listed(
    "jr jr. sr sr. ii iii iv v. junior senior filho neto júnior",
)
_PARTICLES = _listed(
    "van von vom zu zum zur de del della dello dei degli di da das do dos du des der den ter ten te la",
    "le las los el af av bin ibn ben bint abu al y e zur 't d' o' san santa st st. mac saint van't بن",
    "ابن أبو ابو آل عبد mc ó o ní uí nic",
)
_LINKS = frozenset({"y", "e", "i"})
# What a father's name ends with in Russian, Ukrainian and Bulgarian: of three names the one that is no family name.
_PATRONYMICS = ("ович", "евич", "ьич", "овна", "евна", "ична", "івна", "ївна", "йович")
# Letters that are a person's name elsewhere are a company's form at the end and in capitals only: "Acme AG", not "Ab de Boer".
_SHORT_FORMS = frozenset(("AG", "KG", "UG", "EG", "SA", "AB", "AS", "BV", "NV", "OY", "Oy", "KK", "Co", "CO"))
_MARKS = str.maketrans(dict.fromkeys("™®©℠", " "))
_COMPANY = _listed(
    "gmbh ohg e.v. ev inc inc. llc ltd ltd. plc corp corp. co. company limited s.a.",
    "sas sarl srl s.r.l. spa s.p.a. b.v. n.v. a/s aps pty 株式会社 有限会社 有限公司",
    "公司 주식회사 الشركة شركة bank banking news media magazine official support team care service",
    "services help helpdesk customer shop store club verein verband foundation stiftung institute",
    "institut university universität université hochschule school schule agency agentur studio studios",
    "group gruppe gruppo groupe holding verlag press tv radio podcast blog daily times weekly watch",
    "status bot labs lab labor testlabor bakery bäckerei café restaurant hotel praxis kanzlei museum",
    "theater theatre records books airlines airways network community society association union fans",
    "offiziell oficial officiel ufficiale",
)
_ARTICLES = _listed(
    "the der die das dem le les el los las il lo gli i o os as het a an un une une ein eine",
)
_MOST_WORDS = 5
_HANGUL_DOUBLE = frozenset(("남궁", "황보", "제갈", "사공", "선우", "서문", "독고", "동방"))
_CHINESE_DOUBLE = _listed(
    "欧阳 歐陽 司马 司馬 上官 诸葛 諸葛 东方 東方 皇甫 尉迟 尉遲 公孙 公孫 慕容 令狐 司徒 夏侯 端木",
)
_CHINESE = frozenset(
    "王李张張刘劉陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱高林何郭马馬罗羅梁宋郑鄭谢謝韩韓唐冯馮于董萧蕭程曹袁邓鄧许許傅沈曾彭吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛"
    "叶葉阎閻余潘杜戴夏钟鍾鐘汪田任姜范方石姚谭譚廖邹鄒熊金陆陸郝孔白崔康毛邱秦江史顾顧侯邵孟龙龍万萬段雷钱錢汤湯尹黎易常武乔喬贺賀赖賴龚龔文"
)
_JAPANESE = _listed(
    "佐藤 鈴木 高橋 田中 渡辺 渡邊 渡部 伊藤 山本 中村 小林 加藤 吉田 山田 山口 松本 井上 木村 斎藤 斉藤",
    "齋藤 清水 山崎 池田 橋本 阿部 石川 前田 藤田 小川 岡田 後藤 長谷川 村上 近藤 石井 坂本 遠藤 青木",
    "藤井 西村 福田 太田 三浦 藤原 岡本 松田 中島 中野 原田 小野 竹内 金子 和田 中山 石田 上田 森田 柴田",
    "酒井 工藤 横山 宮崎 内田 高木 安藤 島田 谷口 大野 丸山 今井 高田 藤本 河野 小島 村田 武田 上野 杉山",
    "増田 菅原 平野 大塚 千葉 久保 松井 岩崎 野口 佐々木 木下 野村 松尾 菊地 菊池 杉本 市川 古川 大西",
    "島崎 本田 服部",
)
_VIETNAMESE = _listed(
    "nguyễn trần lê phạm huỳnh hoàng phan vũ võ đặng bùi đỗ hồ ngô dương lý đinh trịnh",
)


def split_name(name: str | None) -> SplitName:
    """Return given and family name of a display name."""
    bare = bare_name(name)
    if not bare:
        return SplitName("", "")
    if is_company(bare) or not _may_be_a_person(_untitled(bare)):
        return SplitName("", bare)
    return _asian(bare) or _western(bare)


def bare_name(name: str | None) -> str:
    """Return a display name without emoji, pronouns, what stands in brackets and what follows a bar."""
    text = _lettered(normalize("NFKC", _SHORTCODE.sub(" ", name or "").translate(_MARKS)))
    text = _PRONOUNS.sub(" ", _BRACKETED.sub(" ", text))
    short = _AFTER.sub("", text)
    text = short if any(map(str.isalpha, short)) else text
    words = text.strip(" \t,;:|/-–—·•*_~<>&").split()
    text = " ".join(word for word in words if any(map(str.isalnum, word)) or word in _JOINTS)
    return text if any(map(str.isalnum, text)) else ""


def is_company(name: str | None) -> bool:
    """Return True if a name reads as a company's, a club's, a paper's or a desk's."""
    words = (name or "").replace(",", " ").split()
    plain = [word.casefold() for word in words]
    if len(words) < 2:
        return False
    return words[-1] in _SHORT_FORMS or not _COMPANY.isdisjoint(plain) or any("株式会社" in word for word in plain)


def _lettered(text: str) -> str:
    """Return a text without emoji, symbols, private characters, and joiners that join no letters."""
    shown = (char if char in "|~<>" or category(char) not in _NO_LETTERS else " " for char in text)
    return _LOOSE.sub("", "".join(shown))


_NO_LETTERS = frozenset(("So", "Sk", "Cs", "Co", "Cn", "Me", "Sm"))
# Variation selectors, tags and marks of direction anywhere; joiners (which Persian and Hindi need) at the edge of a word.
_LOOSE = re.compile(
    "[\ufe00-\ufe0f\U000e0000-\U000e01ef\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]|(?<!\\S)[\u200c\u200d]+|[\u200c\u200d]+(?!\\S)"
)


def _may_be_a_person(name: str) -> bool:
    words = name.split()
    if any(char.isdigit() for char in name) or "@" in name or "#" in name or len(words) > _MOST_WORDS:
        return False
    if len(words) > 1 and words[0].casefold() in _ARTICLES and not words[0].islower():
        return False
    if words[-2:-1] == ["&"]:  # "Ben & Ann"
        return False
    # "Carnet de voyage", "Run Wren Run": a phrase, not a name.
    plain = [word for word in words if word.casefold() not in _PARTICLES and word.casefold() not in _DEGREES]
    is_phrase = any(word.islower() for word in plain[1:]) and bool(plain) and not plain[0].islower()
    spelled = [word.casefold() for word in plain if len(word.rstrip(".")) > 1]  # initials may be alike
    return not is_phrase and len(set(spelled)) == len(spelled)


def _asian(name: str) -> SplitName | None:
    """Return the parts of a name in Hangul or Chinese characters, which begins with the family; None for other scripts."""
    words = name.split()
    if "・" in name and len(name.split("・")) == 2:  # a foreign name in Katakana, given name first
        given, family = name.split("・")
        return SplitName(given, family)
    if words[0].casefold() in _VIETNAMESE and len(words) > 1:
        return SplitName(" ".join(words[1:]), words[0])
    if not all(_is_east_asian(char) for word in words for char in word):
        return None
    if len(words) == 2:
        return SplitName(words[1], words[0])
    end = _family_length(name) if len(words) == 1 else 0
    return SplitName(name[end:], name[:end]) if end else SplitName("", name)


def _family_length(name: str) -> int:
    """Return how many characters of a name without a space are the family's; 0 if that cannot be told."""
    if all("\uac00" <= char <= "\ud7a3" for char in name):
        if name[:2] in _HANGUL_DOUBLE and len(name) > 2:
            return 2
        return 1 if len(name) in (2, 3) else 0
    if not all("\u3400" <= char <= "\u9fff" or char == "々" for char in name) or not 2 <= len(name) <= 5:
        return 0
    for length in (3, 2):
        if name[:length] in _JAPANESE | _CHINESE_DOUBLE and len(name) > length:
            return length
    if len(name) == 4:  # two and two is by far the most common
        return 2
    return 1 if len(name) in (2, 3) and name[0] in _CHINESE else 0


def _is_east_asian(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7a3" or char == "々"


def _western(name: str) -> SplitName:
    before, comma, after = name.partition(",")
    if comma and after.strip() and not _is_suffix(after):
        return SplitName(_untitled(after), _untitled(before))  # "Lovelace, Ada"
    words = [word for word in _untitled(name.replace(",", " ")).split() if word.casefold() not in _DEGREES]
    if not words:
        return SplitName("", name)
    if len(words) > 1 and _is_loud(words[0]) and not words[1].isupper():
        return SplitName(" ".join(words[1:]), words[0])  # "KIM Min-su"
    if words[-1].casefold().endswith(_PATRONYMICS) and len(words) == 3:
        return SplitName(" ".join(words[1:]), words[0])  # of two names it is a family's as well as a father's
    generation = len(words) > 2 and words[-1].casefold() in _GENERATIONS
    start = _family_start(words[:-1] if generation else words)
    return SplitName(" ".join(words[:start]), " ".join(words[start:]))


def _is_suffix(text: str) -> bool:
    return all(word.casefold() in _DEGREES | _GENERATIONS for word in text.replace(",", " ").split())


def _untitled(text: str) -> str:
    words = text.split()
    while len(words) > 1 and words[0].casefold() in _TITLES:
        words.pop(0)
    return " ".join(words)


def _is_loud(word: str) -> bool:
    """Return True for a word in capitals that is no initials, as "J.R.R." and "JRR" are."""
    spoken = not word.isascii() or not _VOWELS.isdisjoint(word)
    return len(word) > 2 and word.isupper() and "." not in word and spoken


def _family_start(words: list[str]) -> int:
    """Return where the family name begins: at a particle, at a word in capitals, else at the last word."""
    if len(words) == 1:
        return 0
    loud = [at for at, word in enumerate(words) if _is_loud(word)]
    if len(loud) < len(words) and loud and loud[-1] == len(words) - 1:
        start = loud[0]
        while start > 1 and words[start - 1].isupper() and words[start - 1].casefold() in _PARTICLES:
            start -= 1
        return start  # "Jean DUPONT", "Jean DE LA TOUR"
    for at, word in enumerate(words[:-1]):
        if word.casefold() in _PARTICLES and (at > 0 or word.islower()):
            joins = word.casefold() in _LINKS and at > 1
            return at - 1 if joins else at
    return len(words) - 1
