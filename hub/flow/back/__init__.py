"""The way back: what people do at destinations reaches conversations and networks, and what is gone is taken back."""
