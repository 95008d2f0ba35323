"""What a connector's author tests with: fakes for the engine's side, and contract suites to subclass.

    from hub.testkit.fakes import FakeHttp, answer, context

The only place of the hub that may import pytest (in the contract suites, never in `fakes`).
"""
