"""Alerts, and figures for them and for metrics."""
