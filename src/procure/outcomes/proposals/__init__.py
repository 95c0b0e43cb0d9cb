"""Another envelope, or an estimate that is less than it: proposed by one person, decided by another who holds the budget."""
