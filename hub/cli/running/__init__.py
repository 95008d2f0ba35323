"""`hub up` and the parts that it keeps alive."""
