"""How the hub finds the plugin."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files

from hub.testkit.sandbox import Sandbox, SandboxOptions
from plugins.salesforce import plugin
from plugins.salesforce.destination import SalesforceDestination


def test_the_plugin_hands_over_its_destination() -> None:
    assert plugin.register_destinations() == (SalesforceDestination,)


def test_the_sandbox_and_the_mappings_are_where_the_class_says() -> None:
    module, name = SalesforceDestination.sandbox.split(":")
    assert isinstance(getattr(import_module(module), name)(SandboxOptions()), Sandbox)
    package, folder = SalesforceDestination.mappings.split(":")
    assert {one.name for one in files(package).joinpath(folder).iterdir()} == {
        "account.toml",
        "author.toml",
        "contact.toml",
        "lead.toml",
        "signal.toml",
    }
