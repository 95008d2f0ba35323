"""Zendesk: authors and signals as custom object records, conversations as tickets, further signals as comments."""
