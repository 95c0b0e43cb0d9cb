"""What was seen of the outcome's measures, recorded against the contract or deliverable that it is put down to."""
