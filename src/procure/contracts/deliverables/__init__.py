"""What a supplier hands in, and the verdict on it, criterion by criterion."""
