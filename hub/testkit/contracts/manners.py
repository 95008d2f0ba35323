"""What every connector owes, whatever it connects: strict options, hidden secrets, true declarations, a README."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from hub.sdk.connectors import Connector
from hub.sdk.rates import Limit
from hub.testkit.contracts.means.witness import impurities, misnamed_hosts, secrets_of, spilt

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:token|secret|password|passwd|passphrase|credentials?|bearer|(?:api|access|private|signing|app|secret)_?key)$"
    r"|^(?:api)?key$"
)
_NAME = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")


class ConnectorContract:
    """The part of all contracts; subclass `SourceContract`, `DestinationContract` or `EnricherContract` instead."""

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """Return the class under test."""
        raise TypeError("a contract names the class that it tests")

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Return options that the class accepts."""
        return {}

    @classmethod
    def readme(cls) -> Path:
        """Return the README in the folder of the class."""
        return Path(inspect.getfile(cls.connector())).parent / "README.md"

    def test_options_refuse_unknown_keys(self) -> None:
        """A misspelt option must not pass for a default."""
        model = self.connector().Options
        model.model_validate(self.given_options())
        with pytest.raises(ValidationError):
            model.model_validate({**self.given_options(), "no_such_option": 1})

    def test_options_are_frozen(self) -> None:
        """A connector serves many threads: its options do not change."""
        options = self.connector().Options.model_validate(self.given_options())
        for name in type(options).model_fields:
            with pytest.raises(ValidationError):
                setattr(options, name, None)

    def test_secrets_are_secret_strings(self) -> None:
        """So that no traceback, log or page shows them."""
        for name, field in self.connector().Options.model_fields.items():
            if _SECRET_NAME.search(name):
                assert SecretStr.__name__ in str(field.annotation), (
                    f"the option {name} must be a SecretStr: every traceback, log line and page would show its value"
                )

    def test_no_secret_is_shown_by_the_connector_itself(self) -> None:
        """Where a traceback or a debugger shows it, and in the names that it keeps."""
        made = self._made()
        shown = [repr(made), str(made), repr(made.options), str(made.egress())]
        assert not spilt(secrets_of(made.options), *shown), "repr() tells a secret: keep it in its SecretStr"

    def test_what_is_declared_makes_sense(self) -> None:
        """The engine reads these before it asks anything."""
        cls = self.connector()
        assert _NAME.fullmatch(cls.name), f"{cls.name!r} is no name of a plugin: small letters, digits, - and _"
        assert isinstance(cls.egress_hosts, tuple), "egress_hosts is a tuple: a bare string is read letter by letter"
        assert all(isinstance(one, Limit) for one in cls.limits), "limits hold Limit(calls, seconds)"

    def test_declared_hosts_are_names_of_hosts(self) -> None:
        """`api.example.com`, `*.example.com` or `*`: an address matches nothing, so that every call is refused."""
        made = self._made()
        assert not isinstance(made.egress(), str), "egress() gives a tuple: a bare string is read letter by letter"
        assert not misnamed_hosts(made), f"{misnamed_hosts(made)} are no names of hosts (no scheme, no path)"

    def test_a_wild_card_stands_below_a_domain(self) -> None:
        """`*.example.com` is one company's; `*.com` is as wide as the world."""
        wide = [host for host in self._made().egress() if host.startswith("*.") and "." not in host[2:]]
        assert not wide, f"{wide} let it reach anyone: name the domain below which its hosts stand"

    def test_it_is_made_without_asking_the_world(self) -> None:
        """`hub check --offline` and every restart make it: no network, and no clock or dice to depend on."""
        asked = [one for one in impurities(self._made) if one.startswith(("socket", "random", "posix.urandom"))]
        assert not asked, f"making it asks for {asked}: do that in the first call that has a context"

    def _made(self) -> Connector[Any]:
        cls = self.connector()
        return cls(cls.Options.model_validate(self.given_options()))

    def test_the_readme_names_every_option(self) -> None:
        """Docs are tested, like code."""
        assert self.readme().is_file(), f"{self.readme().parent.name} has no README.md"
        text = self.readme().read_text("utf-8")
        missing = [name for name in self.connector().Options.model_fields if f"`{name}`" not in text]
        assert not missing, f"the README does not name `{'`, `'.join(missing)}`"
