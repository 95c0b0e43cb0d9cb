"""A ready catalogue of measures and criteria of sustainability and social value, to pick from."""
