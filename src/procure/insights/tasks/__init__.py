"""What waits for each caller."""
