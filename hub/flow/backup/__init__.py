"""All that a hub knows, in one file: written while it runs, and put back into an empty place."""
