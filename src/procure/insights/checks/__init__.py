"""What stands between a draft of a lot and its publication, and what an experienced buyer would look at twice."""
