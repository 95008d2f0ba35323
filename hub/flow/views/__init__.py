"""What a person may see: values, never rows. Each function takes the hub, the actor and a query."""
