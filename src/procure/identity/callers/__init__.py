"""What a caller is told of itself."""
