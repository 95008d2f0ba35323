"""YouTube: comments below videos, over the Data API v3."""
