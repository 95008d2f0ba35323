"""Conversations both ways: what happens at destinations, replies of agents, notes for them."""
