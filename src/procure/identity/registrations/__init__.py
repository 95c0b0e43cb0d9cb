"""Suppliers who register themselves: asked for by anybody, done by whoever reads the mail."""
