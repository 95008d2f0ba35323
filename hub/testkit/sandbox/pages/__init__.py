"""What people see of a sandbox: the shell of every page, the front page and records, forms."""
