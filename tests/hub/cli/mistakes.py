"""What `hub check --offline` says of each mistake of the shared material: where, what, and the way out."""

from __future__ import annotations

TOLD: dict[str, list[tuple[str, str, str]]] = {
    "port 99999": [("config.toml: web.port", "this must be less than or equal to 65535", "")],
    "unknown key in [web]": [("config.toml: web.prot", "this key is unknown", "did you mean 'port'?")],
    "unknown table [website]": [("config.toml: website", "this key is unknown", "did you mean 'web'?")],
    "unknown option of plugin": [
        ("config.toml: sources.shop.options.sceret", "this key is unknown", "did you mean 'secret'?")
    ],
    "bad option value": [
        ("config.toml: sources.shop.options.scheme", "this must be 'standard', 'hub256', 'header' or 'none'", "")
    ],
    "plugin of wrong kind": [
        ("config.toml: destinations.crm.plugin", "rss: the plugin offers no destination", "it offers: source")
    ],
    "plugin missing": [("config.toml: sources.shop.plugin", "this key is missing", "write plugin = ...")],
    "secret env missing": [
        (
            "config.toml: sources.shop.options.secret",
            "the environment has no variable NOPE_SECRET",
            "export NOPE_SECRET=... before starting the hub",
        )
    ],
    "secret env empty": [
        (
            "config.toml: sources.shop.options.secret",
            "the variable EMPTY_SECRET is empty",
            "export EMPTY_SECRET=... before starting the hub",
        )
    ],
    "secret in the file": [
        (
            "config.toml: sources.shop.options.secret",
            "a secret must not stand in this file",
            'write secret = { env = "NAME" }',
        )
    ],
    "secret file missing": [
        (
            "config.toml: sources.shop.options.secret",
            "the secret's file cannot be read: No such file or directory",
            "write the secret into nope.txt, as UTF-8",
        )
    ],
    "secret env reference misspelt (ENV)": [
        (
            "config.toml: sources.shop.options.secret",
            "this is no reference to a secret",
            'write secret = { env = "NAME" }',
        )
    ],
    "whsec not base64": [
        ("config.toml: sources.shop.options", "a Standard Webhooks secret is `whsec_` followed by base64", "")
    ],
    "CEL: unknown fact": [
        ('rules.toml: rule "all" when[1]', "unknown name author.folowers", "did you mean author.followers?")
    ],
    "CEL: single =": [
        ('rules.toml: rule "all" when[1]', "column 18: a single = compares nothing", "write == to compare")
    ],
    "CEL: garbage": [('rules.toml: rule "all" when[1]', "column 4: the condition ends too early", "close each (")],
    "CEL: type error int vs text": [
        ('rules.toml: rule "all" when[1]', 'author.followers is a number, never "3"', "write the number without quotes")
    ],
    "CEL: topic that does not exist": [
        ('rules.toml: rule "all" when[1]', 'there is no topic "acmee"', "did you mean acme?")
    ],
    "rule: [rule] instead of [[rule]]": [
        ("rules.toml: [rule]", "this is one table, not a list of them", "write [[rule]]")
    ],
    "rule: no name": [("rules.toml: rule number 1", "`name` is missing", "write name = ...")],
    "rule: two of a name": [
        ('rules.toml: rule "all"', "another rule has this name", "traces tell rules apart by name")
    ],
    "rule: destination unknown": [
        ('rules.toml: rule "all" deliver', "there is no destination crmm with a mapping", "did you mean crm?"),
    ],
    "rule: mapping unknown": [('rules.toml: rule "all" deliver', "crm has no mapping recrod", "did you mean record?")],
    "rule: private_rules names none": [("config.toml: hub.private_rules", 'there is no rule "nope"', "known: all")],
    "mapping: unknown fact": [
        (
            "mappings/crm/person.toml: fields.name.from",
            "unknown fact author.displayname",
            "did you mean author.display_name?",
        )
    ],
    "mapping: unknown key": [
        ("mappings/crm/person.toml: fields.name", "the key `form` is unknown", "did you mean 'from'?")
    ],
    "mapping: template syntax": [
        (
            "mappings/crm/person.toml: fields.name.template",
            "line 1: unexpected end of template, expected 'end of print statement'.",
            "",
        )
    ],
    "mapping: bad operation": [
        (
            "mappings/crm/person.toml: operation",
            "'update' is none of the words for this",
            "one of upsert, create, comment",
        )
    ],
    "duration: '5 minutes'": [
        (
            "config.toml: sources.shop.every",
            'a duration is a number of seconds or text such as "30s", "5m", "2h", "7d"',
            "",
        )
    ],
    "duration: huge": [("config.toml: sources.shop.every", 'a duration is a hundred years at most: "36500d"', "")],
    "duration: negative number": [
        (
            "config.toml: sources.shop.every",
            'a duration is a number of seconds or text such as "30s", "5m", "2h", "7d"',
            "",
        )
    ],
    "duration: true": [
        (
            "config.toml: sources.shop.every",
            'a duration is a number of seconds or text such as "30s", "5m", "2h", "7d"',
            "",
        )
    ],
    "timeout zero": [("config.toml: sources.shop.timeout", 'zero is no time at all: write one such as "30s"', "")],
    "duration inf": [("config.toml: sources.shop.every", 'a duration is a hundred years at most: "36500d"', "")],
    "rate: bad": [
        ("config.toml: destinations.crm.rate", 'a rate is text such as "10/s", "100/m", "5000/h", "190/10s"', "")
    ],
    "rate: number": [
        ("config.toml: destinations.crm.rate", 'a rate is text such as "10/s", "100/m", "5000/h", "190/10s"', "")
    ],
    "allow_private: bad network": [
        (
            "config.toml: destinations.crm.allow_private",
            '"10.0.0.0/33" is no network, address or host: such as "10.0.0.0/8", "127.0.0.1" or "crm.local"',
            "",
        )
    ],
    "allow_private: text": [
        (
            "config.toml: destinations.crm.allow_private",
            'write true, false, or a list of networks and hosts such as ["10.0.0.0/8", "crm.local"]',
            "",
        )
    ],
    "source and destination same name, webhook": [],
    "name with capital/space": [
        (
            "config.toml: sources.My Shop.[key]",
            "a name is small letters, digits, - and _, 48 at most: such as my_shop",
            "",
        )
    ],
    "TOML syntax: missing quote": [
        (
            "config.toml",
            "Illegal character '\\n' (at line 4, column 18)",
            "a quote is opened and not closed in this line",
        )
    ],
    "CRLF config+rules": [],
    "tabs": [],
    "UTF-16 config": [("config.toml", "it is UTF-16, not UTF-8", "save it as UTF-8")],
    "BOM rules": [],
    "NUL bytes": [
        (
            "config.toml",
            "Invalid statement (at line 10, column 1)",
            "the file holds a NUL character: save it again as UTF-8",
        )
    ],
    "curly quotes": [("config.toml", "Invalid value (at line 4, column 10)", 'write straight quotes: "')],
    "rules file missing, default": [
        (
            "rules.toml",
            "there is no such file",
            "write one with [[rule]] tables; an empty file means that there are none",
        )
    ],
    "topics file missing": [
        (
            "topics.toml",
            "there is no such file",
            "write one with [[topic]] tables; an empty file means that there are none",
        )
    ],
    "wrong database URL": [
        (
            "config.toml: database.url",
            "this is neither SQLite nor PostgreSQL",
            "sqlite:///FILE or postgresql://USER@HOST/NAME",
        )
    ],
    "database URL postgres:// (Heroku)": [],
    "url with credentials in webhook dest": [
        (
            "config.toml: destinations.crm.options.url",
            "a name or a password stands in this address",
            "secrets have options of their own",
        )
    ],
    "proxy garbage": [
        (
            "config.toml: destinations.crm.proxy",
            "write the address of a plain forward proxy, such as http://proxy.example.com:3128",
            "",
        )
    ],
    "hub.data is a file": [
        ("config.toml: hub.data", "rules.toml is a file", "name a folder; it is made if it is not there")
    ],
    "language unknown": [
        (
            "config.toml: hub.languages.0",
            '"xx" is no language: write its code of ISO 639-1, such as "en", "de", "fr"',
            "",
        ),
        (
            "config.toml: hub.languages.1",
            '"klingon" is no language: write its code of ISO 639-1, such as "en", "de", "fr"',
            "",
        ),
    ],
    "5 mistakes at once": [
        ("config.toml: hub.datta", "this key is unknown", "did you mean 'data'?"),
        ("config.toml: web.port", "this must be a whole number, without quotes", ""),
        ("config.toml: web.prot", "this key is unknown", "did you mean 'port'?"),
        (
            "config.toml: alerts.urls.0",
            'a secret must not stand in this file: write { env = "NAME" } or { file = "path" }',
            "",
        ),
        ("config.toml: sources.shop.options.scheme", "this must be 'standard', 'hub256', 'header' or 'none'", ""),
        ('rules.toml: rule "all" when[1]', "unknown name topicz", "did you mean topics?"),
    ],
}
