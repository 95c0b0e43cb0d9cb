"""Letters that the service sends: written into an outbox with what they tell of, and taken to the post by the worker."""
