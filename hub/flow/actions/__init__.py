"""What a person may do: allowed, done and audited in one transaction. Each function takes the hub and the actor."""
