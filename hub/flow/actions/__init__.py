"""What a person may do: allowed, done and audited in one transaction."""
