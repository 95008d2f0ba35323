"""A local look-alike of Zendesk: users, tickets with audits, custom objects and their jobs, with Zendesk's own refusals.

An agent's desk stands at /agent/tickets: reply in public or note, set status, assignee and tags, merge, delete. Every change,
by the API too, is sent as a signed event to the webhook that /agent/webhook sets (by form, or by JSON `{"url", "secret"}`).

`extra` may hold: `bulk_users` (False: the bulk import of users answers 403), `job_looks` (2: a job is completed at that look),
`search_lag_s` (60), `objects` (field types of further custom objects by key), `updates_per_ticket` (30 in ten minutes),
`closes_after_days` (28: a ticket solved so long ago is closed), `agent_workspace` (True: comments are redacted by their HTML),
`webhook` (`{"url", "secret"}` from the start), `webhook_pause` (what waits between two attempts, `time.sleep`).
A ticket is closed by `PUT /api/v2/tickets/{id}` with status closed, as at Zendesk.
"""

from __future__ import annotations

from hub.testkit.sandbox import SandboxOptions
from plugins.zendesk.sandbox.desk import ZendeskSandbox


def build(options: SandboxOptions) -> ZendeskSandbox:
    """Build the sandbox: its entry point."""
    return ZendeskSandbox(options)
