"""A home for W1: `python -m tests.bench.w1_home FOLDER CRM_URL [DATABASE_URL]` writes configuration, rules, topics, mapping."""

from __future__ import annotations

import sys
from pathlib import Path

PORT = 8610
SECRET = "w1-secret"
KEYWORDS = (
    "acme",
    "acme pay",
    "acmecare",
    "northwind",
    "contoso",
    "fabrikam",
    "globex",
    "initech",
    "umbrella air",
    "wayne mobile",
    "stark energy",
    "hooli",
    "vandelay",
    "soylent",
    "cyberdyne",
    "oscorp",
    "tyrell",
    "wonka bar",
    "duff club",
    "monsters inc",
)
CONFIG = """
[web]
port = {port}

[sources.w1]
plugin = "webhook"
options = {{ scheme = "hub256", secret = {{ file = "secret" }} }}

[enrichers.sentiment]
plugin = "lexicon"
topics_only = true

[destinations.crm]
plugin = "webhook"
allow_private = true
options = {{ url = "{crm}/crm/signals/batch/upsert" }}
"""
RULES = """
[[rule]]
name = "watched"
when = ["size(topics) > 0"]
deliver = [{ destination = "crm", mapping = "mention" }]
"""
MAPPING = """
object = "record"
keyed_by = "signal"
key_field = "id"
fields.id = { from = "signal.native_id", required = true }
fields.network = { from = "signal.network" }
fields.text = { from = "signal.text", limit = 2000 }
fields.url = { from = "signal.url" }
fields.lang = { from = "signal.lang" }
fields.published_at = { from = "signal.published_at" }
fields.author = { from = "author.handle" }
fields.followers = { from = "author.followers" }
fields.sentiment = { from = "labels.sentiment.value" }
fields.score = { from = "labels.sentiment.score" }
fields.topics = { from = "topics" }
"""


def write_home(folder: Path, crm: str, *, port: int = PORT, database: str = "") -> Path:
    """Write the files; returns the configuration's path. `database` is a URL, SQLite in the folder where it is empty."""
    own = folder / "mappings" / "crm"
    own.mkdir(parents=True, exist_ok=True)
    (own / "mention.toml").write_text(MAPPING)
    (folder / "rules.toml").write_text(RULES)
    topics = (f'[[topic]]\nname = "{word}"\nkeywords = ["{word}"]\n' for word in KEYWORDS)
    (folder / "topics.toml").write_text("".join(topics))
    (folder / "secret").write_text(SECRET)
    config = folder / "config.toml"
    config.write_text(CONFIG.format(port=port, crm=crm) + (f'\n[database]\nurl = "{database}"\n' if database else ""))
    return config


if __name__ == "__main__":
    write_home(Path(sys.argv[1]), sys.argv[2], database="".join(sys.argv[3:4]))
