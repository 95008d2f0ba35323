"""The echo plugin: a guest book that is read and written."""
