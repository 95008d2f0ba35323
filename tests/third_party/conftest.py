"""The distributions here are installed by `tests/plugins/test_third_party.py`; their own tests run there."""

collect_ignore = ["hubbub-echo", "hubbub-broken"]
