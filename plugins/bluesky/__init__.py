"""Bluesky: posts, replies and mentions over XRPC."""
