"""What goes out: due deliveries are claimed, sent and settled."""
