"""What passes between the hub and people at a destination: what their changes mean, what may be answered, what they are told."""
