"""Going on: an announced iteration taken up with the same team, or the next lot drafted."""
