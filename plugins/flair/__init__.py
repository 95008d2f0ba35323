"""Sentiment in nine languages and more: a flair TextClassifier, loaded only from bytes whose sum is known."""
