"""A local look-alike of an org: tokens, describes, collections, composite, simple SOQL.

It has record pages on which people change, merge and delete, a recycle bin that `queryAll` sees, and Outbound Messages.
Objects and lengths come from schema.json; with contracts at hand, Lead and Contact are the recorded describes of a real org with
our fields added. `extra` knows `daily_calls` (15000), `audience`, `client_id`, `client_secret`, `public_key` (PEM),
`page_size` (2000 rows of a query), `outbound_url` (where Outbound Messages go; `PUT /setup/outbound` sets it too).
Strings are counted in code points; counts, formulas, sharing, triggers and conversion are not modelled.
"""

from __future__ import annotations

from hub.testkit.sandbox import SandboxOptions
from plugins.salesforce.sandbox.org import SalesforceSandbox

__all__ = ["SalesforceSandbox", "build"]


def build(options: SandboxOptions) -> SalesforceSandbox:
    """Return an org to try things on."""
    return SalesforceSandbox(options)
