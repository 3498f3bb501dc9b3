"""What people and programs see: results on standard output, messages on standard error."""
