"""What a signal becomes: values in, values out. What is known of it was read before, what is decided is written after."""
