"""The language of a text: what the network says, else py3langid."""
