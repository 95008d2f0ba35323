"""What people read of stored values: masked for those who may not see names and numbers as they are."""
