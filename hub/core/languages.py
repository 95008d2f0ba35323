"""Languages by their codes of two letters (ISO 639-1), and what else they are called by: their codes of three letters."""

from __future__ import annotations

import re

_CODES = """
aa aar|ab abk|ae ave|af afr|ak aka|am amh|an arg|ar ara arb|as asm|av ava|ay aym ayr|az aze azj|ba bak|be bel|bg bul|bi bis
bm bam|bn ben|bo bod tib|br bre|bs bos|ca cat|ce che|ch cha|co cos|cr cre|cs ces cze|cu chu|cv chv|cy cym wel|da dan
de deu ger|dv div|dz dzo|ee ewe|el ell gre|en eng|eo epo|es spa|et est ekk|eu eus baq|fa fas per pes|ff ful fuc|fi fin
fj fij|fo fao|fr fra fre|fy fry|ga gle|gd gla|gl glg|gn grn gug|gu guj|gv glv|ha hau|he heb|hi hin|ho hmo|hr hrv scr|ht hat
hu hun|hy hye arm|hz her|ia ina|id ind|ie ile|ig ibo|ii iii|ik ipk esk|io ido|is isl ice|it ita|iu iku ike|ja jpn|jv jav
ka kat geo|kg kon kng|ki kik|kj kua|kk kaz|kl kal|km khm|kn kan|ko kor|kr kau knc|ks kas|ku kur kmr|kv kom kpv|kw cor|ky kir
la lat|lb ltz|lg lug|li lim|ln lin|lo lao|lt lit|lu lub|lv lav lvs|mg mlg plt|mh mah|mi mri mao|mk mkd mac|ml mal|mn mon khk
mr mar|ms msa may zsm|mt mlt|my mya bur|na nau|nb nob|nd nde|ne nep npi|ng ndo|nl nld dut|nn nno|no nor|nr nbl|nv nav|ny nya
oc oci|oj oji ojg|om orm gaz|or ori ory|os oss|pa pan|pi pli|pl pol|ps pus pbu|pt por|qu que quz|rm roh|rn run
ro ron rum mol|ru rus|rw kin|sa san|sc srd src|sd snd|se sme|sg sag|si sin|sk slk slo|sl slv|sm smo|sn sna|so som
sq sqi alb als|sr srp scc|ss ssw|st sot|su sun|sv swe|sw swa swh|ta tam|te tel|tg tgk|th tha|ti tir|tk tuk|tl tgl|tn tsn
to ton|tr tur|ts tso|tt tat|tw twi|ty tah|ug uig|uk ukr|ur urd|uz uzb uzn|ve ven|vi vie|vo vol|wa wln|wo wol|xh xho
yi yid ydd|yo yor|za zha zyb|zh zho chi cmn|zu zul
"""
_ROWS = [row.split() for row in _CODES.replace("\n", "|").split("|") if row]
KNOWN = frozenset(two for two, *_ in _ROWS)
"""All codes of two letters."""
SHORTER = {three: two for two, *others in _ROWS for three in others}
"""The code of two letters of each of three: ISO 639-2 (both kinds, retired ones too), the usual members of a group (cmn, arb)."""
# Of a list (`en, de`) the first, of a locale (`pt_BR.UTF-8`) its language.
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]{1,8})*\s*(?:[,;.@]|\Z)")
_NO_LANGUAGE = frozenset({"und", "zxx", "mul", "mis"})
_RENAMED = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "jw": "jv",
    "mo": "ro",
}  # IANA language subtag registry, Preferred-Value


def base_language(tag: str | None) -> str | None:
    """Return the base of a BCP 47 tag in its shortest form (`pt-BR` is pt, `iw` is he, `eng` is en).

    None for none, undetermined or private ones.
    """
    found = _LANGUAGE.match(tag) if tag else None
    if not found:
        return None
    base = found[1].lower()
    if base in _NO_LANGUAGE or "qaa" <= base <= "qtz":
        return None
    base = _RENAMED.get(base, base)
    return SHORTER.get(base, base)
