"""The hub's eye on itself: figures, alerts to people, and the valve for what waits too long."""
