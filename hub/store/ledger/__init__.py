"""The ledger read as a whole: what is due and may go, and how much of everything there is."""
