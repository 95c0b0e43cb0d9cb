"""Procure: an agile procurement marketplace API."""

__version__ = "0.1.0"
