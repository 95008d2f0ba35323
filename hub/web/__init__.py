"""The HTTP doors: the inbound door, the API and the console."""
