"""What has happened to a thing, and to what belongs to it."""
