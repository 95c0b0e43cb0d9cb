"""Plays real notices against a running service."""
