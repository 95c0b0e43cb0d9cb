"""Opening, panel, scores alone and together, ranking."""
