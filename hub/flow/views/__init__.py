"""What a person may see: values, never rows."""
