"""JSON over HTTP that is only read, as a TOML file."""
