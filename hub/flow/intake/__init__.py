"""What comes in: sources are polled, destinations are asked what people did there."""
