"""Request Tracker: conversations as tickets, and what agents do there."""
