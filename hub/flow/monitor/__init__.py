"""What is wrong now, and the alerts that tell people."""
