"""What the suites are put together from: a witness of what a connector does unseen, and the engine's part of polling."""
