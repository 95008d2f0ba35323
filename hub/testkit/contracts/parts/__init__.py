"""The parts of the larger suites: polling sources, webhooks, destinations."""
