"""Users and how they come in: accounts, sessions, API keys, one-time links, and log-ins that failed."""
