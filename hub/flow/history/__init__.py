"""History run again: what other rules and mappings would make of it, what differs from the ledger, and what that costs."""
