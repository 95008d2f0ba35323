"""The scale of quality: four tiers of rules, what a plugin claims of them in its `quality.toml`, and what refutes a claim."""
