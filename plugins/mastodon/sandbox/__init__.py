"""A local look-alike of a Mastodon instance: a small town whose people a person plays, and an API for the brand's account.

The town's page stands at /town: threads, a form to post as one of its people, to answer, edit and delete. The API is what the
plugin uses: timelines, notifications, conversations, statuses (once under an `Idempotency-Key`), search, accounts, instance.
The token is the brand's. Timelines hold no answers, and an edit is told only to those that it newly mentions, as at Mastodon.

`extra` may hold: `brand` (the brand's user name, "pennywren"), `most_characters` (500), `keys_kept_s` (3600: how long idempotency
keys are kept), `page` (40: the most items of a page).
"""

from __future__ import annotations

from hub.testkit.sandbox import SandboxOptions
from plugins.mastodon.sandbox.town import TownSandbox


def build(options: SandboxOptions) -> TownSandbox:
    """Return the sandbox's entry point."""
    return TownSandbox(options)
