"""A lot: one small competition for a few weeks of work. The example package: read it first, the others are in its image."""
