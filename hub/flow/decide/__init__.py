"""Raw rows to signals and deliveries, in batches: translate, read what is known, enrich, decide (in the core), write."""
