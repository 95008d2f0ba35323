"""The bell: it tells a worker to look. Nothing is kept here; a lost Redis loses nothing."""
