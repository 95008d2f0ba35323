"""All that a connector's author touches."""
