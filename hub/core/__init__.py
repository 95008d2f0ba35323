"""Values and pure steps: nothing here does I/O, reads a clock or rolls dice."""
