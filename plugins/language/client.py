"""py3langid behind one question: which of the configured languages, and how sure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec

from hub import Rejected

if find_spec("py3langid") is None:  # said here, though it is imported later: the registry then names the missing extra
    raise ModuleNotFoundError("No module named 'py3langid'", name="py3langid")

# Languages that are common on networks. They stand beside the configured ones, so that a Polish post in a hub for French and
# German is recognised as foreign instead of being pressed into one of the two; rarer ones (Galician, Lombard) would only
# take votes from their big neighbours.
RIVALS = frozenset(
    """ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ka ko lt lv mk ml mr ms nl no pl pt ro ru sk sl sr sv sw
    ta te th tl tr uk ur vi zh""".split()  # noqa: SIM905  a list literal would fill a page
)
# Above this share of all votes a language outside the configured ones wins; measured: plugins/language/README.md.
FOREIGN = 0.5

Rank = Callable[[str], list[tuple[str, float]]]


def load_rank(languages: Iterable[str]) -> Rank:
    """Return py3langid's `rank` over the languages and their rivals: every language with its probability, best first.

    The first call with these languages takes about half a second and 60 MB. Raises Rejected if py3langid does not know one of
    them.
    """
    return _load_rank(frozenset(languages))


@lru_cache(maxsize=4)
def _load_rank(languages: frozenset[str]) -> Rank:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415  numpy stays out of the web process

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    unknown = sorted(languages - set(identifier.labels))
    if unknown:
        raise Rejected(f"py3langid does not know {', '.join(unknown)}", field="languages", code="unknown_language")
    identifier.set_languages(RIVALS.union(languages))
    rank: Rank = identifier.rank
    return rank


def choose(ranking: list[tuple[str, float]], languages: Iterable[str]) -> tuple[str, float] | None:
    """Return the best configured language with its probability among the configured, None if another one is clearly it."""
    wanted = set(languages)
    best, votes = ranking[0]
    if best not in wanted and votes > FOREIGN:
        return None
    inside = [(code, share) for code, share in ranking if code in wanted]
    total = sum(share for _, share in inside)
    return (inside[0][0], inside[0][1] / total) if total > 0 else None


def py3langid_version() -> str:
    """Return the installed version."""
    return version("py3langid")
