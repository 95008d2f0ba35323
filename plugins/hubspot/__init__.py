"""HubSpot: social authors, social signals and contacts, written by batch upsert."""
