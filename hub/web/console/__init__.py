"""The page: signals as they arrive, each one whole, deliveries, and what failed."""
