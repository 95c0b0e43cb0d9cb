"""Parties: buyers, suppliers and the platform itself."""
