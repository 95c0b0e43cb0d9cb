"""What is worked out from every step and stored by none: what a caller may do now, and what waits for it."""
