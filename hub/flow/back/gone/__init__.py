"""What is gone at the network: found out, taken back from every destination with a receipt, and not kept here either."""
