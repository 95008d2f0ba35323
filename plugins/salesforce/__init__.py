"""Salesforce: authors, signals and leads, upserted by external id in batches of 200."""
