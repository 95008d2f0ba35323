"""Raw items from files of JSON lines."""
