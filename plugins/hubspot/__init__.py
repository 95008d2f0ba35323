"""HubSpot: social authors, social signals, contacts and companies, written by batch upsert."""
