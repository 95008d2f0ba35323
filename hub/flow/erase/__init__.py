"""What is gone: taken back from every destination, forgotten here, with receipts."""
