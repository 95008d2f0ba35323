"""More mistakes that people make in a configuration, each as one change of a right one: told with place and way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub.cli.conftest import Cli

CONFIG = """[web]
port = 9302
[sources.shop]
plugin = "webhook"
options = { scheme = "none" }
[destinations.crm]
plugin = "webhook"
options = { url = "https://crm.example/records" }
"""
RULES = """[[rule]]
name = "all"
when = ['"acme" in topics']
deliver = [{ destination = "crm", mapping = "record" }]
"""
TOPICS = '[[topic]]\nname = "acme"\nkeywords = ["acme"]\n'
MAPPING = 'object = "person"\nkeyed_by = "author"\n[fields]\nname = { from = "author.display_name" }\n'
OWN = RULES.replace('"record"', '"person"')
OWN_FILE = "mappings/crm/person.toml"

Files = dict[str, str | bytes | None]
Case = tuple[Files, list[str]]


def config(before: str, after: str) -> Files:
    """The right files with a change of the configuration; None for a text stands for its end."""
    assert before in CONFIG
    return {"config.toml": CONFIG.replace(before, after, 1)}


def more(text: str) -> Files:
    return {"config.toml": text + CONFIG}


def source(line: str) -> Files:
    return config("[sources.shop]\n", f"[sources.shop]\n{line}\n")


def plugged(plugin: str, options: str, table: str = "sources") -> Files:
    return {"config.toml": f'{CONFIG}[{table}.x]\nplugin = "{plugin}"\noptions = {{ {options} }}\n'}


def secret(value: str) -> Files:
    return config('scheme = "none"', f'scheme = "hub256", secret = {value}')


def rules(before: str, after: str) -> Files:
    assert before in RULES
    return {"rules.toml": RULES.replace(before, after, 1)}


def when(*conditions: str) -> Files:
    listed = ", ".join(f'"""{one}"""' for one in conditions)
    return rules("""['"acme" in topics']""", f"[{listed}]")


def topics(text: str) -> Files:
    return {"topics.toml": text}


def mapping(before: str, after: str) -> Files:
    assert before in MAPPING
    return {"rules.toml": OWN, OWN_FILE: MAPPING.replace(before, after, 1)}


NUMBER = "web.port: this must be a whole number"
ALONE = "web.host: write an address or a name alone"
LASTS = "a duration is a number of seconds or text such as"
RULE = 'rules.toml: rule "all" when[1]: '
FIELD = f"{OWN_FILE}: fields.name"
TOLD: dict[str, Case] = {
    # ------------------------------------------------------------------------------------------ the configuration
    "a public address that is everywhere": (
        config("port = 9302", 'host = "0.0.0.0"\nport = 9302\npublic_url = "http://0.0.0.0:9302"'),
        ["web.public_url: 0.0.0.0 is where the hub listens, no address by which others reach it"],
    ),
    "a join with another than a person": (
        rules('name = "all"\n', 'name = "all"\njoin = "account"\n'),
        ["join: 'account' is none of the words for this (write \"person\", or leave it out)"],
    ),
    "an address of Redis without a scheme": (
        more('[redis]\nurl = "localhost:6379"\n'),
        ["redis.url: this is no address of"],
    ),
    "an address of Redis with another's scheme": (
        more('[redis]\nurl = "http://h:6379"\n'),
        ["begins with none of redis"],
    ),
    "an address of Redis in no variable": (
        more('[redis]\nurl = { env = "NOT_THERE" }\n'),
        ["redis.url: the environment has no variable NOT_THERE"],
    ),
    "a network's name with a space": (
        config('scheme = "none"', 'scheme = "none", network = "my shop"'),
        ["shop.options.network: a network's name is letters, digits, - and _, at most 31"],
    ),
    "a number in quotes": (config("9302", '"9302"'), [f"{NUMBER}, without quotes"]),
    "a number that is true": (config("9302", "true"), [NUMBER]),
    "a number with a fraction": (config("9302", "93.5"), [NUMBER]),
    "a number below its least": (config("9302", "-1"), ["web.port: this must be greater than or equal to 0"]),
    "a switch as a word": (source('enabled = "yes"'), ["enabled: this must be true or false, without quotes"]),
    "no host": (config("port = 9302", 'host = ""'), [ALONE]),
    "a host with its scheme": (config("port = 9302", 'host = "http://127.0.0.1"'), [ALONE]),
    "a host with its port": (config("port = 9302", 'host = "127.0.0.1:8600"'), [ALONE]),
    "an address without a scheme": (
        config("port = 9302", 'public_url = "hub.example"'),
        ["public_url: write a whole address"],
    ),
    "an address with a query": (
        config("port = 9302", 'public_url = "https://hub.example/?a=1"'),
        ["public_url: an address of the hub has no ?"],
    ),
    "an address with a password": (
        config("port = 9302", 'public_url = "https://a:b@hub.example"'),
        ["public_url: a name or a password"],
    ),
    "an address with a space": (
        config("port = 9302", 'public_url = "https://hub example"'),
        ["public_url: write a whole address"],
    ),
    "[source.NAME]": (
        config("[sources.shop]", "[source.shop]"),
        ["source: this key is unknown (did you mean 'sources'?)"],
    ),
    "[sources] without a name": (
        config("[sources.shop]", "[sources]"),
        ["sources: each of these has a name (write [sources.NAME]"],
    ),
    "[[destinations]]": (
        config("[destinations.crm]", "[[destinations]]"),
        ["destinations: each of these has a name"],
    ),
    "a plugin with a slip": (
        config('plugin = "webhook"', 'plugin = "webhok"'),
        ["sources.shop.plugin: webhok: no installed package"],
    ),
    "an option outside options": (
        source('scheme = "none"'),
        ["sources.shop.scheme: this key is unknown (the plugin's own keys stand in options = { scheme = ... })"],
    ),
    "options as a list": (
        config('options = { scheme = "none" }', 'options = ["none"]'),
        ["options: this must be a table", "needs a secret"],
    ),
    "a text where a switch stands": (
        plugged("rss", 'feeds = ["https://h.example/x"], updates = "no"'),
        ["sources.x.options.updates: this must be true or false (without quotes)"],
    ),
    "a number in quotes, of a plugin": (
        config('records"', 'records", batch = "5"'),
        ["destinations.crm.options.batch: this must be a number (without quotes)"],
    ),
    "days without an end": (
        plugged("rss", 'feeds = ["https://h.example/x"], backfill_days = inf'),
        ["backfill_days: this must be a number that is not infinite"],
    ),
    "a feed at no port": (
        plugged("rss", 'feeds = ["https://h.example:99999/x"]'),
        ["options.feeds.0: this is no address (write one such as"],
    ),
    "a feed at a placeholder": (
        plugged("rss", 'feeds = ["https://<host>/x"]'),
        ["options.feeds.0: this address names no host that can be"],
    ),
    "a record's address with two schemes": (
        config("https://crm", "http://https://crm"),
        ["options.url: this address names no host that can be"],
    ),
    "an address of the hub with a wildcard": (
        config("port = 9302", 'public_url = "https://*.example.com"'),
        ["public_url: write a whole address"],
    ),
    "an address of the hub that is none": (
        config("port = 9302", 'public_url = "https://300.1.1.1"'),
        ["public_url: write a whole address"],
    ),
    "a host that is no address": (config("port = 9302", 'host = "256.1.1.1"'), [ALONE]),
    "an instance with an account": (
        plugged("mastodon", 'instance = "@me@m.example", public = true'),
        ["options.instance: the address of an instance"],
    ),
    "an own account of two": (
        plugged("mastodon", 'instance = "https://m.example", public = true, own_account = "acme,brand"'),
        ["options.own_account: an account is acme, acme@mastodon.example"],
    ),
    "a type of notifications with a slip": (
        plugged("mastodon", 'instance = "https://m.example", public = true, notification_types = ["mentions"]'),
        ['notification_types.0: "mentions" is none of mention,'],
    ),
    "a network that is too narrow": (
        config('"none"', '"none", networks = ["10.0.0.0/33"]'),
        ["sources.shop.options.networks.0: this is no address and no network"],
    ),
    "a network of everybody": (
        config('"none"', '"none", networks = ["0.0.0.0/0"]'),
        ["sources.shop.options.networks.0: this is every address there is"],
    ),
    "no network at all": (config('"none"', '"none", networks = []'), ["options.networks: list one at least"]),
    "a body's kind that is none": (
        config('"none"', '"none", mapping = "m.toml"') | {"m.toml": '[fields]\nkind = { value = "tweet" }\n'},
        ["fields.kind: 'tweet' is none of announce, article, boost,"],
    ),
    "a body's mapping with a list of fields": (
        config('"none"', '"none", mapping = "m.toml"') | {"m.toml": "fields = []\n"},
        ["fields: this must be a table"],
    ),
    "files of a plugin that is none": (
        plugged("file", 'path = "a.jsonl", as_plugin = "masto"'),
        ["sources.x.options.as_plugin: masto: no installed package"],
    ),
    "files of files": (
        plugged("file", 'path = "a.jsonl", as_plugin = "file"'),
        ["sources.x.options.as_plugin: file itself reads for another plugin"],
    ),
    "an account's id of nothing": (
        plugged("hubspot", 'token = { file = "s" }, portal_id = ""', "destinations") | {"s": "token"},
        ["destinations.x.options.portal_id: this is empty"],
    ),
    "a pause below zero": (source('every = "-5m"'), [f"sources.shop.every: {LASTS}"]),
    "a pause that is no number": (source("every = nan"), [f"sources.shop.every: {LASTS}"]),
    "a pause of nothing": (source('every = ""'), [f"sources.shop.every: {LASTS}"]),
    "a pause of no time": (source('every = "0s"'), ["sources.shop.every: zero is no time at all"]),
    "a pause as a time of day": (source("every = 00:05:00"), [f"sources.shop.every: {LASTS}"]),
    "a pause too short": (source('every = "5ms"'), ["sources.shop.every: a second at least"]),
    "a recheck of no time": (source("recheck_every = 0"), ["recheck_every: zero is no time at all"]),
    "a patience of a month": (source('timeout = "30d"'), ["timeout: an hour at most"]),
    "a rate of none": (source('rate = "0/s"'), ["rate: a rate is text such as"]),
    "a rate in words": (source('rate = "10 per second"'), ["rate: a rate is text such as"]),
    "a reply word": (source('reply = "on"'), ["reply: this must be 'off', 'approve' or 'send'"]),
    "a proxy of another kind": (
        source('proxy = "socks5://proxy:1080"'),
        ["proxy: write the address of a plain forward proxy"],
    ),
    "languages as one text": (more('[hub]\nlanguages = "en"\n'), ["hub.languages: this must be a list, in [ ]"]),
    "no languages": (more("[hub]\nlanguages = []\n"), ["hub.languages: list one at least"]),
    "a language by its name": (more('[hub]\nlanguages = ["english"]\n'), ['"english" is no language']),
    "a share beyond 1": (
        more("[hub]\nuncertain_below = 55\n"),
        ["uncertain_below: this must be less than or equal to 1"],
    ),
    "data of a user who is not": (more('[hub]\ndata = "~nosuchuser/x"\n'), ["hub.data: this machine has no user"]),
    "data in a variable": (more('[hub]\ndata = "${HOME}/data"\n'), ["hub.data: variables are not filled in here"]),
    "data of spaces": (more('[hub]\ndata = " "\n'), ["hub.data: write a path"]),
    "data as a number": (more("[hub]\ndata = 5\n"), ["hub.data: this must be a path, in quotes"]),
    "a path with a sign that is not seen": (
        more('[files]\nrules = "a\\u0000b"\n'),
        ["files.rules: this path holds a sign that is not seen"],
    ),
    "rules that never end": (more('[files]\nrules = "/dev/zero"\n'), ["/dev/zero: it cannot be read: it is larger"]),
    "a share in quotes": (
        more('[hub]\nuncertain_below = "0.5"\n'),
        ["uncertain_below: this must be a number, without quotes"],
    ),
    "a price without an end": (
        more("[prices]\nsources = { shop = inf }\n"),
        ["prices.sources.shop: this must be a number that is not infinite"],
    ),
    "a number beyond all numbers": (
        more("[delivery]\nhold_most = 1_000_000_000_000_000_000_000\n"),
        ["hold_most: this must be 2147483647 at most"],
    ),
    "a caller's patience of two hours": (
        more('[callers]\nheader_within = "2h"\n'),
        ['callers.header_within: from "100ms" to "1h"'],
    ),
    "data in no folder": (more('[hub]\ndata = ""\n'), ["hub.data: write a path"]),
    "too many workers": (
        more("[workers]\ndeliver = 100000\n"),
        ["workers.deliver: this must be less than or equal to 1000"],
    ),
    "a database of another kind": (
        more('[database]\nurl = "mysql://localhost/x"\n'),
        ["database.url: this is neither SQLite nor PostgreSQL"],
    ),
    "a database with two slashes": (
        more('[database]\nurl = "sqlite://hub.db"\n'),
        ["database.url: SQLite has a file and no host (write three slashes: sqlite:///hub.db)"],
    ),
    "a database in memory": (more('[database]\nurl = "sqlite://"\n'), ["database.url: this names no file"]),
    "a database without a name": (
        more('[database]\nurl = "postgresql://localhost"\n'),
        ["database.url: this names no database"],
    ),
    "a database at no port": (
        more('[database]\nurl = "postgresql://localhost:99999/x"\n'),
        ["database.url: 99999 is no port"],
    ),
    "a database that is a folder": (
        more('[database]\nurl = "sqlite:////tmp"\n'),
        ["database.url: /tmp is a folder (name a file in it"],
    ),
    "a rules file that is a folder": ({"rules.toml": None}, ["rules.toml: it cannot be read: Is a directory"]),
    "rules and topics exchanged": (
        more('[files]\nrules = "topics.toml"\ntopics = "rules.toml"\n'),
        ["topic: this key is unknown (write [[rule]])", "rule: this key is unknown (write [[topic]])"],
    ),
    "a mappings folder that is not there": (
        more('[files]\nmappings = "maps"\n'),
        ["files.mappings: there is no folder"],
    ),
    "a mappings folder that is a file": (
        more('[files]\nmappings = "rules.toml"\n'),
        ["files.mappings: rules.toml is a file"],
    ),
    "a price of what is not there": (
        more("[prices]\ndestinations = { crmm = 1 }\n"),
        ["prices.destinations.crmm: destinations has no crmm (did you mean 'crm'?)"],
    ),
    "a price below zero": (
        more("[prices]\ndestinations = { crm = -1 }\n"),
        ["prices.destinations.crm: this must be greater than or equal to 0"],
    ),
    "a currency as a word": (
        more('[prices]\ncurrency = "euros"\n'),
        ['a currency is three capital letters, such as "EUR"'],
    ),
    "a look-alike that is not there": (
        more('[sandbox]\nplugins = ["zendsk"]\n'),
        ["sandbox.plugins.0: zendsk: there is no such plugin (did you mean 'zendesk'?)"],
    ),
    "options of a look-alike that is not started": (
        more('[sandbox]\nplugins = ["zendesk"]\noptions = { zendsk = {} }\n'),
        ["sandbox.options.zendsk: zendsk is not started"],
    ),
    "two on one port": (
        more('[sandbox]\nport = 9302\nplugins = ["zendesk"]\n'),
        ["web.port: a look-alike listens on this port"],
    ),
    "an alert's address in the file": (
        more('[alerts]\nurls = ["mailto://a:b@c"]\n'),
        ["alerts.urls.0: a secret must not stand in this file"],
    ),
    "a number of Redis' database that is none": (
        more('[redis]\nurl = "redis://h/abc"\n'),
        ["redis.url: 'abc' is no number of a database"],
    ),
    "an address of Redis at no host": (more('[redis]\nurl = "redis:///0"\n'), ["redis.url: this names no host"]),
    "an address of Redis at port 0": (more('[redis]\nurl = "redis://h:0"\n'), ["redis.url: 0 is no port"]),
    "an option that Redis has not": (
        more('[redis]\nurl = "redis://h?foo=1"\n'),
        ["redis.url: an option behind ? is none of Redis"],
    ),
    "a socket of Redis without a path": (more('[redis]\nurl = "unix://"\n'), ["redis.url: this names no socket"]),
    "a database that is another file": (
        more('[database]\nurl = "sqlite:///rules.toml"\n'),
        ["database.url: rules.toml is another file, no database"],
    ),
    "a file in the place of the database": (
        {"data/hubbub.db": "junk " * 100},
        ["data/hubbub.db is another file, no database"],
    ),
    "an option behind SQLite's file": (
        more('[database]\nurl = "sqlite:///x.db?mode=ro"\n'),
        ["database.url: SQLite takes no options behind a ?"],
    ),
    "an option that PostgreSQL has not": (
        more('[database]\nurl = "postgresql://h/x?sslmod=require"\n'),
        ["database.url: 'sslmod' is no option of PostgreSQL (did you mean sslmode?)"],
    ),
    "a database at no host that can be": (
        more('[database]\nurl = "postgresql://h..x/y"\n'),
        ["database.url: this names no host that can be"],
    ),
    "an alert's secret that is no address": (
        more('[alerts]\nurls = [{ file = "a" }]\n') | {"a": "foo@bar"},
        ["alerts.urls.0: what this leads to is no address that alerts can be sent to"],
    ),
    "a register of erasures that is a folder": (
        more('[hub]\nerasures = "."\n'),
        ["hub.erasures:"],
    ),
    "a look-alike twice": (
        more('[sandbox]\nplugins = ["zendesk", "zendesk"]\n'),
        ["sandbox.plugins.1: zendesk stands here twice"],
    ),
    "a look-alike beyond the last port": (
        more('[sandbox]\nport = 65535\nplugins = ["zendesk", "hubspot"]\n'),
        ["sandbox.port: 2 ports from here on are too many"],
    ),
    "the owner of a plugin that is not there": (
        more('[plugins]\nzendsk = "hubbub"\n'),
        ["plugins.zendsk: zendsk: there is no such plugin (did you mean 'zendesk'?)"],
    ),
    "mistakes in all places of a rule": (
        {
            "rules.toml": RULES.replace('"acme" in topics\'', "author.folowers > 3', '\"acmee\" in topics'").replace(
                '"crm"', '"crmm"'
            ),
            "mappings/crm/a.toml": "",
            "mappings/crm/b.toml": MAPPING.replace("display_name", "displayname"),
        },
        [
            "unknown name author.folowers",
            'there is no topic "acmee"',
            "there is no destination crmm with a mapping (did you mean crm?)",
            "mappings/crm/a.toml: `object` is missing",
            "mappings/crm/b.toml: fields.name.from: unknown fact author.displayname",
        ],
    ),
    # -------------------------------------------------------------------------------------------------- secrets
    "a secret of a number": (secret("{ env = 3 }"), ['secret: this names no variable (write { env = "NAME" })']),
    "a secret of no name": (secret('{ file = "" }'), ['secret: this names no file (write { file = "NAME" })']),
    "a secret as a shell writes it": (secret('"${SHOP}"'), ["secret: a secret must not stand in this file"]),
    "a secret of two places": (secret('{ env = "A", file = "b" }'), ["secret: this is no reference to a secret"]),
    "a secret that is a folder": (
        secret('{ file = "d" }') | {"d": None},
        ["the secret's file cannot be read: Is a directory"],
    ),
    "a secret's empty file": (secret('{ file = "s" }') | {"s": " \n"}, ["the secret's file is empty"]),
    "a secret of signs that are not seen": (
        secret('{ file = "s" }') | {"s": "\u200b\u2060\ufe0f\n"},
        ["the secret's file is empty"],
    ),
    "a secret in UTF-16 without a mark": (
        secret('{ file = "s" }') | {"s": "abc".encode("utf-16-le")},
        ["the secret's file holds NUL characters"],
    ),
    "a secret that never ends": (secret('{ file = "/dev/zero" }'), ["cannot be read: it is larger than 16 MB"]),
    "a secret of a user who is not": (
        secret('{ file = "~nosuchuser/s" }'),
        ["secret: this machine has no user nosuchuser: write the whole path"],
    ),
    "a secret in UTF-16": (secret('{ file = "s" }') | {"s": "abc".encode("utf-16")}, ["it is UTF-16, not UTF-8"]),
    "a scheme without its secret": (config('"none"', '"hub256"'), ["needs a secret"]),
    # --------------------------------------------------------------------------------------------------- topics
    "a topic without keywords": (
        topics('[[topic]]\nname = "acme"\n'),
        ['topic "acme" keywords: a topic without keywords is found in no text'],
    ),
    "an empty keyword": (topics('[[topic]]\nname = "acme"\nkeywords = [" "]\n'), ['keywords[1]: " " is no word']),
    "keywords as one text": (
        topics('[[topic]]\nname = "acme"\nkeywords = "acme"\n'),
        ['keywords: this must be a list, not a text (write keywords = ["...", "..."])'],
    ),
    "two topics of a name": (topics(TOPICS * 2), ['topic "acme": another topic has this name']),
    "a keyword that is left out": (topics(TOPICS + 'exclude = ["Acme"]\n'), ['exclude: "acme" is a keyword too']),
    "[[topics]]": (topics(TOPICS.replace("topic", "topics")), ["topics: this key is unknown (write [[topic]])"]),
    "[topic.acme]": (
        topics(TOPICS.replace("[[topic]]", "[topic.acme]")),
        ["[topic]: this is one table, not a list of them (write [[topic]])"],
    ),
    "topics in UTF-32": ({"topics.toml": TOPICS.encode("utf-32")}, ["topics.toml: it is UTF-32, not UTF-8"]),
    # ---------------------------------------------------------------------------------------------------- rules
    "conditions as one text": (rules("""['"acme" in topics']""", "'true'"), ["when: this must be a list, not a text"]),
    "an empty condition": (when(""), [RULE + "column 1: the condition ends too early (an example"]),
    "a key with a slip": (rules("when", "whn"), ["the key `whn` is unknown (did you mean 'when'?)"]),
    "deliver as a table": (
        rules("[{", "{") and rules('[{ destination = "crm", mapping = "record" }]', '{ destination = "crm" }'),
        ["deliver: this must be a list, not a table (write deliver = [{"],
    ),
    "deliver without a mapping": (rules(', mapping = "record"', ""), ["deliver[0]: `mapping` is missing"]),
    "AND": (
        when("author.followers > 3 AND true"),
        [RULE + "column 22: and is no word of conditions (write && instead of and)"],
    ),
    "&": (when("author.followers > 3 & true"), ["& is no mark of conditions (write && instead of &)"]),
    "<>": (when("signal.lang <> 'fr'"), ["<> is no mark of conditions (write != instead of <>)"]),
    "=>": (when("author.followers => 3"), ["=> is no mark of conditions (write >= instead of =>)"]),
    "===": (when("author.followers === 3"), ["=== is no mark of conditions (write == instead of ===)"]),
    "backquotes": (when("signal.lang == `fr`"), ["this is no quote of conditions"]),
    "curly quotes": (when("signal.lang == “fr”"), ["this is no quote of conditions"]),
    "a quote that does not end": (when("signal.text.contains('x)"), ["a quote is opened and not closed"]),
    "a method as a word": (
        when("signal.text contains 'x'"),
        ['contains stands after a dot (write signal.text.contains("...")'],
    ),
    "a fact that does not exist": (
        when("author.followrs > 3"),
        ["unknown name author.followrs (did you mean author.followers?)"],
    ),
    "a topic in capitals": (when("'Acme' in topics"), ['there is no topic "Acme" (did you mean acme?)']),
    "a list that is a text": (when("topics == 'acme'"), ['topics is a list, never acme (write "acme" in topics)']),
    "a language with its country": (when("signal.lang == 'fr-FR'"), ['signal.lang is never "fr-FR" (write "fr")']),
    "a network in capitals": (
        when("signal.network == 'Mastodon'"),
        ['signal.network is never "Mastodon" (write "mastodon")'],
    ),
    "a mood in capitals": (when("labels.sentiment.value == 'Negative'"), ["did you mean negative?"]),
    "a score beyond its bounds": (
        when("labels.sentiment.score < -5"),
        ["labels.sentiment.score is from -1 to 1, never < -5"],
    ),
    "a share in percent": (
        when("labels.sentiment.confidence > 80"),
        ["labels.sentiment.confidence is from 0 to 1, never > 80"],
    ),
    "a count below zero": (when("author.followers < 0"), ["author.followers is 0 or more, never < 0"]),
    "a number that is two": (
        when("author.followers > 10 && author.followers < 5"),
        ["author.followers cannot be > 10 and < 5 at once"],
    ),
    "two conditions that exclude each other": (
        when("signal.lang == 'fr'", "signal.lang == 'de'"),
        ['when: signal.lang cannot be "fr" and "de" at once'],
    ),
    "what is never": (when("size([]) > 1"), ["it is false for every signal"]),
    "a division by zero": (when("author.followers / 0 > 1"), ["it divides by zero"]),
    "a zone with a slip": (when("timestamp(signal.published_at).getHours('Europe/Pariss') > 3"), [RULE]),
    "an hour of a text": (when("signal.published_at.getHours('Europe/Paris') > 3"), [RULE]),
    "an hour beyond the day": (
        when("timestamp(signal.published_at).getHours() > 30"),
        ["getHours() is from 0 to 23, never > 30"],
    ),
    "a month counted from one": (
        when("timestamp(signal.published_at).getMonth('Europe/Paris') == 12"),
        ["getMonth() is from 0 to 11, never 12"],
    ),
    "a size below zero": (when("size(topics) < 0"), ["size() is 0 or more, never < 0"]),
    "a hashtag with its sign": (
        when("'#fail' in signal.hashtags"),
        ['hashtags are kept without # and in lower case (write "fail" in signal.hashtags)'],
    ),
    "a time in words": (
        when("signal.published_at > 'yesterday'"),
        ['signal.published_at is never "yesterday" (a time is such as "2026-01-31T09:00:00Z")'],
    ),
    "a part of a language's tag": (
        when("signal.lang.startsWith('fr-')"),
        [
            'no value of signal.lang starts with "fr-" (a language is two letters: write signal.lang == "fr")',
        ],
    ),
    "a pattern that no kind fits": (
        when("signal.kind.matches('dm|direct')"),
        ['no value of signal.kind matches "dm|direct" (known: article,'],
    ),
    "a part of a network in capitals": (
        when("signal.network.contains('Masto')"),
        ['no value of signal.network contains "Masto" (write "masto")'],
    ),
    "a part of a topic that does not exist": (when("topics.exists(t, t.startsWith('zz'))"), ['there is no topic "zz"']),
    "a list of topics that do not exist": (when("topics.exists(t, t in ['nope'])"), ['there is no topic "nope"']),
    "a state of the vendor's": (
        when("conversation.state == 'solved'"),
        ['conversation.state is never "solved" (known: closed, open, pending)'],
    ),
    "an empty list": (when("signal.lang in []"), ["signal.lang is in no empty list"]),
    "a word and not that word": (
        when("signal.lang in ['fr', 'de'] && signal.lang == 'it'"),
        ['signal.lang cannot be "fr" and "de" and "it" at once'],
    ),
    "a weekday by its name": (
        when("timestamp(signal.published_at).getDayOfWeek() == 'Monday'"),
        ['getDayOfWeek() is a number, never "Monday"'],
    ),
    "hours beyond the day in a list": (
        when("timestamp(signal.published_at).getHours('Europe/Paris') in [24, 25]"),
        ["getHours() is from 0 to 23, never 24", "getHours() is from 0 to 23, never 25"],
    ),
    "a time that is none": (
        when("timestamp(signal.published_at) > timestamp('yesterday')"),
        ["'yesterday' is no timestamp (such as timestamp("],
    ),
    "a duration of a day": (
        when("timestamp(signal.observed_at) - timestamp(signal.published_at) > duration('1d')"),
        ["'1d' is no duration (such as duration("],
    ),
    "a date that no calendar has": (
        when("signal.published_at > '2026-99-99'"),
        ['signal.published_at is never "2026-99-99"'],
    ),
    "a hashtag of two words": (when("'two words' in signal.hashtags"), ['write "twowords" in signal.hashtags']),
    "a size below zero, with its sign": (when("size(signal.text) < -1"), ["size() is 0 or more, never < -1"]),
    "a truth that is false too": (
        when("author.verified && !author.verified"),
        ["author.verified cannot be true and false at once (split it into two rules)"],
    ),
    "a value beside none": (
        when("signal.lang == null", "signal.lang == 'fr'"),
        ['when: signal.lang cannot be null and "fr" at once'],
    ),
    "a topic of none": (
        when("size(topics) == 0 && 'acme' in topics"),
        ["size(topics) cannot be 0 and >= 1 at once"],
    ),
    "alternatives of which none can be": (
        when("author.followers in [-1] || (author.is_bot && author.is_bot == false)"),
        ["author.followers is never -1", "author.is_bot cannot be true and false at once"],
    ),
    "a part of a count": (when("author.followers == 1.5"), ["author.followers is never 1.5"]),
    "a year without its century": (
        when("timestamp(signal.published_at).getFullYear() == 26"),
        ["getFullYear() is from 1000 to 9999, never 26"],
    ),
    "an hour in quotes before its time": (
        when("'9' == timestamp(signal.published_at).getHours()"),
        ['getHours() is never "9"'],
    ),
    "a mood of a person as a number": (
        when("person.sentiment_now < 0"),
        ["person.sentiment_now is a text, never 0"],
    ),
    "a topic by its place that does not exist": (when("topics[0] == 'zz'"), ['there is no topic "zz"']),
    "a hashtag by its place with its sign": (when("signal.hashtags[0] == '#x'"), ["hashtags are kept without #"]),
    "a handle that begins with @": (
        when("author.handle.startsWith('@')"),
        ['no value of author.handle starts with "@" (handles are kept without @'],
    ),
    "a handle among the mentions": (
        when("'@acme' in signal.mentions"),
        ['mentions are keys of authors, never "@acme"'],
    ),
    "a person's network in capitals": (
        when("person.last_network == 'Bluesky'"),
        ['person.last_network is never "Bluesky" (write "bluesky")'],
    ),
    "a pattern that is none": (when("signal.text.matches('(')"), ["bad pattern"]),
    # ------------------------------------------------------------------------------------------------- mappings
    "an empty mapping": ({"rules.toml": OWN, OWN_FILE: ""}, [f"{OWN_FILE}: `object` is missing"]),
    "[field]": (mapping("[fields]", "[field]"), ["the key `field` is unknown (did you mean 'fields'?)"]),
    "a field as a text": (
        mapping('{ from = "author.display_name" }', '"author.display_name"'),
        [f"{FIELD}: this must be a table, not a text"],
    ),
    "a field of two values": (mapping("from =", 'value = "x", from ='), [f"{FIELD}: has from and value"]),
    "a field of no value": (mapping('from = "author.display_name"', ""), [f"{FIELD}: has no value"]),
    "a filter with a slip": (
        mapping('from = "author.display_name"', 'template = "{{ author.handle | uper }}"'),
        ["No filter named 'uper'. (did you mean upper?)"],
    ),
    "a field of a whole object": (
        mapping('"author.display_name"', '"author"'),
        [f"{FIELD}.from: author is a whole object (name one of its values"],
    ),
    "a table of words that are never said": (
        mapping('"author.display_name"', '"labels.sentiment.value", table = { bad = "x" }'),
        [f'{FIELD}.table: labels.sentiment.value is never "bad"'],
    ),
    "a table of languages with their countries": (
        mapping('"author.display_name"', '"signal.lang", table = { "fr-FR" = "x" }'),
        [f'{FIELD}.table: signal.lang is never "fr-FR" (write "fr")'],
    ),
    "steps without an end": (
        mapping('"author.display_name"', '"author.followers", volatile = true, steps = [inf]'),
        [f"{FIELD}.steps: they are no numbers"],
    ),
    "a template with single brackets": (
        mapping('from = "author.display_name"', 'template = "by {author.handle}"'),
        [f"{FIELD}.template: {{author.handle}} is text as it stands (write {{{{ author.handle }}}} for its value)"],
    ),
    "an empty template": (
        mapping('from = "author.display_name"', 'template = ""'),
        [f"{FIELD}.template: it is empty"],
    ),
    "a proxy in no variable": (
        source('proxy = { env = "NOPE" }'),
        ["sources.shop.proxy: the environment has no variable NOPE"],
    ),
    "a private key that is none": (
        plugged(
            "salesforce",
            'instance_url = "https://n.my.salesforce.com", client_id = "x", username = "u", private_key_file = "no.pem"',
            "destinations",
        ),
        ["destinations.x.options: private_key_file:"],
    ),
    "a page of Salesforce for people": (
        plugged(
            "salesforce",
            'instance_url = "https://n.lightning.force.com", client_id = "x", client_secret = { file = "s" }',
            "destinations",
        )
        | {"s": "secret"},
        ["options.instance_url: this is the page for people"],
    ),
    "a zone of HubSpot's that is none": (
        plugged("hubspot", 'token = { file = "s" }, time_zone = "Europe/Pari"', "destinations") | {"s": "token"},
        ["options.time_zone: a zone by its name"],
    ),
    "a language that the model has not": (
        plugged("flair", 'languages = ["xx"]', "enrichers"),
        ['options.languages.0: "xx" is no language'],
    ),
    "a model that is not there": (
        plugged("flair", 'model = "embeded"', "enrichers"),
        ["there is no file embeded"],
    ),
    "a template of a whole object": (
        mapping('from = "author.display_name"', 'template = "by {{ author | upper }}"'),
        [f"{FIELD}.template: line 1: author is a whole object"],
    ),
    "a template that divides by zero": (
        mapping('from = "author.display_name"', 'template = "{{ author.followers / 0 }}"'),
        [f"{FIELD}.template: line 1: it divides by zero"],
    ),
    "a method that is not called": (
        mapping('from = "author.display_name"', 'template = "{{ author.handle.lower }}"'),
        [f"{FIELD}.template: line 1: .lower is not called (write author.handle.lower())"],
    ),
    "proxies that are all there are": (
        config("port = 9302", 'port = 9302\nproxies = ["0.0.0.0/0"]'),
        ["web.proxies.0: this is every address there is"],
    ),
    "a way of PostgreSQL's that is none": (
        more('[database]\nurl = "postgresql://h/x?sslmode=maybe"\n'),
        ["sslmode is never what is written here (known: disable, allow"],
    ),
    "an option of Redis that breaks the jobs": (
        more('[redis]\nurl = "redis://h?decode_responses=true"\n'),
        ["redis.url: decode_responses makes texts of the jobs"],
    ),
    "a look-alike of a plugin that has none": (
        more('[sandbox]\nplugins = ["rss"]\n'),
        ["sandbox.plugins.0: rss has no look-alike"],
    ),
    "an owner that does not provide the plugin": (
        more('[plugins]\nzendesk = "no-such-dist"\n'),
        ["plugins.zendesk: 'no-such-dist' does not provide it (it is in: hubbub)"],
    ),
    "a required mapping with a slip": (
        {"rules.toml": OWN, OWN_FILE: 'requires = ["recrd"]\n' + MAPPING},
        ["requires: recrd is not there (did you mean record?)"],
    ),
    "keyed by what is not": (mapping('"author"', '"autor"'), ["keyed_by: 'autor' is none of the words for this"]),
    "a mapping in Latin-1": (
        {"rules.toml": OWN, OWN_FILE: (MAPPING + "# é").encode("latin-1")},
        ["line 5 is not UTF-8"],
    ),
    "a mapping in no destination's folder": (
        {"mappings/person.toml": MAPPING},
        ["mappings/person.toml: no destination reads it here"],
    ),
}


def write(folder: Path, files: Files) -> None:
    """Write the right files with those that were changed; None stands for a folder."""
    right: Files = {"config.toml": CONFIG, "rules.toml": RULES, "topics.toml": TOPICS}
    for name, content in (right | files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def check(cli: Cli, tmp_path: Path) -> Callable[[Files], list[tuple[bool, str]]]:
    def told(files: Files) -> list[tuple[bool, str]]:
        write(tmp_path, files)
        said = cli("check", "--offline", "--json")
        lines = [(one["fine"], f"{one['where']}: {one['message']} ({one['hint']})") for one in said.json]
        assert said.code == (0 if all(fine for fine, _ in lines) else 2)
        return [(fine, line.replace(f"{tmp_path}/", "")) for fine, line in lines]

    return told


Check = Callable[[Files], list[tuple[bool, str]]]


def test_without_a_mistake_it_is_silent(check: Check) -> None:
    assert check({}) == []


@pytest.mark.parametrize("name", TOLD)
def test_one_mistake_is_told_once_with_its_place(check: Check, name: str) -> None:
    files, told = TOLD[name]
    wrong = [line for fine, line in check(files) if not fine]
    assert [words for words in told if not any(words in line for line in wrong)] == [], wrong
    assert len(wrong) == len(told), wrong


NOTED: dict[str, Case] = {
    "a mapping that no rule uses": ({OWN_FILE: MAPPING}, ["no rule uses this mapping (deliver = [{ destination = "]),
    "a topic that no rule asks for": (
        topics(TOPICS + TOPICS.replace("acme", "beta")),
        ['topic "beta": no rule asks for this topic'],
    ),
    "a rule without an effect": (
        rules('deliver = [{ destination = "crm", mapping = "record" }]', ""),
        ['rule "all": this rule has no effect'],
    ),
    "a rule to a destination that is switched off": (
        config("[destinations.crm]", "[destinations.crm]\nenabled = false"),
        ['rule "all" deliver: crm is switched off: nothing is sent there'],
    ),
    "a rule without a condition": (
        rules("""['"acme" in topics']""", "[]"),
        ["this rule has no condition: each signal matches it"],
    ),
    "a folder of no destination": (
        {"mappings/crmm/person.toml": MAPPING},
        ["mappings/crmm: there is no destination of this name (did you mean 'crm'?)"],
    ),
    "a feed twice": (
        plugged("rss", 'feeds = ["https://h.example/x", "https://h.example/x/"]'),
        ['options.feeds: "https://h.example/x" stands here twice'],
    ),
    "a target twice": (
        rules('mapping = "record" }', 'mapping = "record" }, { destination = "crm", mapping = "record" }'),
        ['rule "all" deliver: "crm/record" stands here twice'],
    ),
    "a keyword that is a pattern": (
        topics('[[topic]]\nname = "acme"\nkeywords = ["acme.*"]\n'),
        ['keywords[1]: "acme.*" is found as it stands: a keyword is no pattern'],
    ),
    "a keyword that is a search": (
        topics('[[topic]]\nname = "acme"\nkeywords = ["acme AND shop"]\n'),
        ['"acme AND shop" is one phrase: AND is a word of it'],
    ),
    "a source that is not there": (
        when("'acme' in topics", "signal.provenance.source == 'Shop'"),
        ["when[2]: there is no source \"Shop\": no new post has it (did you mean 'shop'?)"],
    ),
    "a file that is not there": (
        plugged("file", 'path = "nope/*.jsonl", as_plugin = "rss"'),
        ["there is no file nope/*.jsonl: nothing is read until there is"],
    ),
    "a mapping whose own test fails": (
        {
            "rules.toml": OWN,
            OWN_FILE: MAPPING
            + '[[test]]\nname = "one"\ngiven = { author = { display_name = "a" } }\nexpect = { name = "b" }\n',
        },
        ['its own test "one" fails (`hub mappings test` shows what it gives)'],
    ),
    "a mapping of another ending": (
        {"mappings/crm/person.TOML": MAPPING},
        ["it is not read as a mapping (name it person.toml)"],
    ),
}


@pytest.mark.parametrize("name", NOTED)
def test_what_has_no_effect_is_told_and_is_no_error(check: Check, name: str) -> None:
    files, told = NOTED[name]
    lines = check(files)
    assert all(fine for fine, _ in lines)
    assert all(any(words in line for _, line in lines) for words in told), lines


def test_what_stands_for_home_is_understood(check: Check) -> None:
    assert check(more('[hub]\ndata = "~/hubbub-data"\n')) == []


@pytest.mark.parametrize(
    "word", ["C++", "AT&T", "M&M's", "AC/DC", "acme.com", "(acme)", "A$AP", "rock and roll", "50%"]
)
def test_a_keyword_with_signs_of_its_own_is_taken_without_a_word(check: Check, word: str) -> None:
    assert check(topics(f'[[topic]]\nname = "acme"\nkeywords = ["{word}"]\n')) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ author.handle.lower() }}{{ topics }}{{ author.followers / 2 }}",
        "{% set author = 'x' %}{{ author }}",
        "{% for name, value in signal.counts.items() %}{{ name }}{{ value }}{% endfor %}",
    ],
)
def test_a_template_that_writes_text_is_taken(check: Check, template: str) -> None:
    files = mapping('from = "author.display_name"', f'template = "{template}"')
    assert [line for fine, line in check(files) if not fine] == []


@pytest.mark.parametrize(
    "condition",
    [
        "false",
        "topics[0] == 'acme' && signal.hashtags[0] == 'x'",
        "author.handle.contains('@') && author.handle.matches('.*@x')",
        "'mastodon:abc' in signal.mentions",
        "author.followers - 5 < 0",
        "2.0 * labels.sentiment.score < -1.5",
        "author.followers > 10 || author.followers < 5",
        "!(author.followers > 10) && author.followers > 3",
        "labels.sentiment.score <= -1",
        "timestamp(signal.published_at).getHours() + 10 > 30",
        "size(topics) > 1 && topics.size() < 3",
        "signal.published_at > '2026'",
        "author.followers >= 5 && author.followers <= 5",
        "labels.sentiment.value.startsWith('neg')",
        "labels.sentiment.value.matches('^(pos|neg)')",
        "labels.language.value.startsWith('e')",
        "signal.lang.matches('fr|de')",
        "signal.lang in ['fr', 'de'] && signal.lang != 'de'",
        "signal.kind != 'repost' && signal.kind != 'reply'",
        "topics.exists(t, t.startsWith('ac'))",
        "signal.published_at.startsWith('2026')",
        "timestamp(signal.published_at) > timestamp('2026-01-01T00:00:00Z')",
        "timestamp(signal.published_at).getDayOfWeek() in [0, 6]",
        "author.followers - 5 < -1",
        "person.sentiment_now == 'negative' && account.sentiment_now != 'positive'",
        "author.verified != true && !(author.verified == true)",
        "author.verified == null || !author.verified",
        "author.followers > 5 && author.followers < 7",
        "author.followers > 1e30",
        "labels.sentiment.score > -0.5 && labels.sentiment.score < -0.4",
        "labels.sentiment.confidence > 0.99 && labels.sentiment.confidence < 1",
        "signal.lang == null || signal.lang == 'fr'",
        "(author.is_bot && author.followers > 5) || (!author.is_bot && author.followers < 5)",
        "'acme' in topics && size(topics) == 1",
        "!('acme' in topics) && size(topics) == 0",
        "signal.text.contains('a') && !signal.text.contains('b')",
        "author.is_bot == !author.verified",
        "author.is_bot ? author.verified : !author.verified",
        "signal.published_at > '2026-01-01' && signal.published_at < '2026-01-02'",
        "timestamp(signal.published_at).getFullYear() - 2000 == 26",
        "!(signal.lang in ['fr', 'de']) && signal.lang != null",
        "author.followers != 5 && author.followers >= 5",
        "author.followers in [1, 2, 3] && author.followers > 2",
        "(timestamp(signal.observed_at) - timestamp(signal.published_at)).getHours() > 48",
        "signal.title == '' || signal.title == null",
    ],
)
def test_a_condition_that_can_hold_is_taken(check: Check, condition: str) -> None:
    assert [line for fine, line in check(when(condition)) if not fine] == []
