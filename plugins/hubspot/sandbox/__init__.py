"""A local look-alike of a HubSpot account: objects, batches, properties, schemas, associations, a search that lags.

People change, merge and delete records on their pages, of which signed webhook events tell.
`extra` knows `calls_per_10s` (the rolling limit; 0: none), `search_lag_s` (10), `strict_batches` (a bad record fails its whole
batch with 400, as HubSpot does without trace ids), `forwards` (True: the id of a merged record leads to the winner),
`events_url` (where webhook events go; `PUT /webhooks/v3/{app}/settings` sets it too), `client_secret` (it signs them; the
sandbox's token if none is given), `app_id` ("1"). Answers of batches come in reverse order: HubSpot promises none.
Not modelled: pipelines, owners, lists, associations with labels, OAuth.
"""

from __future__ import annotations

from hub.testkit.sandbox import SandboxOptions
from plugins.hubspot.sandbox.account import HubSpotSandbox


def build(options: SandboxOptions) -> HubSpotSandbox:
    """Return a HubSpot account to try things on."""
    return HubSpotSandbox(options)
