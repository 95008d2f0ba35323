"""What every connector owes, whatever it connects: strict options, hidden secrets, a README that names the options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from hub.sdk.connectors import Connector

_SECRET_NAME = re.compile(r"(?:^|_)(?:token|secret|password|passphrase|api_key|private_key)$")


class ConnectorContract:
    """The part of all contracts; subclass `SourceContract`, `DestinationContract` or `EnricherContract` instead."""

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """The class under test."""
        raise TypeError("a contract names the class that it tests")

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Options that the class accepts."""
        return {}

    @classmethod
    def readme(cls) -> Path:
        """The README in the folder of the class."""
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
                assert SecretStr.__name__ in str(field.annotation), f"{name} must be a SecretStr"

    def test_the_readme_names_every_option(self) -> None:
        """Docs are tested, like code."""
        assert self.readme().is_file(), f"{self.readme().parent.name} has no README.md"
        text = self.readme().read_text("utf-8")
        missing = [name for name in self.connector().Options.model_fields if f"`{name}`" not in text]
        assert not missing, f"the README does not name `{'`, `'.join(missing)}`"
