"""Sentiment in several languages: a flair TextClassifier, loaded only from bytes whose sum is known."""
