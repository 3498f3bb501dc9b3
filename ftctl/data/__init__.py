"""What `ftctl data` does: lengths in tokens, statistics, and splitting a file into parts."""
