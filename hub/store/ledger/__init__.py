"""The ledger: deliveries planned, claimed, settled, sent again, held back and counted."""
