"""Which acts a resource allows this caller now, and why not the others."""
