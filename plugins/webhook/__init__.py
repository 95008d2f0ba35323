"""Any system: signed JSON in, signed batches of records out."""
