"""`hub dry-run`, `hub replay`, `hub cost`."""
