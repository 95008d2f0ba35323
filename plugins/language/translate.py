"""What a network's language field means, and the part of a post that tells its language. Pure."""

from __future__ import annotations

import re

from hub import Signal

ISO_639_1 = frozenset(
    """aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et
    eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl
    km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj
    om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to
    tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu""".split()  # noqa: SIM905  a list literal would fill a page
)
# Withdrawn codes that X and Android still send, and three-letter codes of languages that have a two-letter one.
_OTHER_CODES = dict(
    pair.split("=")
    for pair in """iw=he in=id ji=yi ara=ar ces=cs chi=zh cze=cs dan=da deu=de dut=nl ell=el eng=en fas=fa fil=tl fin=fi fra=fr
    fre=fr ger=de gre=el heb=he hin=hi hun=hu ind=id ita=it jpn=ja kor=ko nld=nl nor=no pol=pl por=pt ron=ro rum=ro rus=ru
    spa=es swe=sv tha=th tur=tr ukr=uk urd=ur vie=vi zho=zh""".split()  # noqa: SIM905  the same
)

# Neither names nor links nor the marks of hashtags and reposts are words of a language.
_NO_WORDS = re.compile(r"(?:https?:|www\.)\S*|\bhttp\b|@[\w@.-]*|\bRT\b|#")
_LONGEST = 1000


def network_language(signal: Signal) -> str | None:
    """Return the ISO 639-1 code of the network's own field, None if it is absent or says nothing (`und`, `qme`, `zxx`)."""
    if not signal.lang:
        return None
    primary = re.split("[-_]", signal.lang.strip().lower(), maxsplit=1)[0]
    code = _OTHER_CODES.get(primary, primary)
    return code if code in ISO_639_1 else None


def words_of(signal: Signal) -> str:
    """Return the words of a signal's text (else of its title), at most 1,000 characters: more tells no more."""
    text = signal.text if signal.text.strip() else signal.title or ""
    return " ".join(_NO_WORDS.sub(" ", text[: 2 * _LONGEST]).split())[:_LONGEST]


def letters_in(text: str) -> int:
    """Return the size of the text's letters in UTF-8 bytes."""
    return len("".join(filter(str.isalpha, text)).encode("utf-8", "replace"))
