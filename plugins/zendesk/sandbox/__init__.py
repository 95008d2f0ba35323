"""A local look-alike of Zendesk: users, tickets with audits, custom objects and their jobs, with Zendesk's own refusals.

`extra` may hold: `bulk_users` (False: the bulk import of users answers 403), `job_looks` (2: a job is completed at that look),
`search_lag_s` (60), `objects` (field types of further custom objects by key), `updates_per_ticket` (30 in ten minutes).
A ticket is closed by `PUT /api/v2/tickets/{id}` with status closed, as at Zendesk.
"""

from __future__ import annotations

from hub.sdk.sandbox import SandboxOptions
from plugins.zendesk.sandbox.desk import ZendeskSandbox


def build(options: SandboxOptions) -> ZendeskSandbox:
    """The sandbox's entry point."""
    return ZendeskSandbox(options)
