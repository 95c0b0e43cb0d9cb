"""Dated rules as data: limits, bands, thresholds, VAT, working days, terms."""
