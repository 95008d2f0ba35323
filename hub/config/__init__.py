"""TOML to settings: everything that people write, read with all its errors at once."""
