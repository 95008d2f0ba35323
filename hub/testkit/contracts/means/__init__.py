"""What the suites see and do with: a witness of what a connector does unseen, the engine's part of polling, tests left out."""
