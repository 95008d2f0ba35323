"""What texts, facts, conditions and templates may look like: shared by the steps that read them."""
