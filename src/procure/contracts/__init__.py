"""Signature, deliverables, acceptance, completion."""
