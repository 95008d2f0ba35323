"""Sentiment of English texts from a word list: VADER, fast and without a model."""
