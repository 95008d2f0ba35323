"""`hub alerts`, and bulk work on dead letters."""
