"""Going on: an announced iteration taken up with the same team, or given up, or the next lot drafted."""
