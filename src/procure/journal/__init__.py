"""The spine: everything that happens is one insert-only entry, written in the transaction of its effect."""
