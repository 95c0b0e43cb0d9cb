"""A client, a membership or a person that is suspended for a while, and reinstated."""
