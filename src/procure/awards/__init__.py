"""Recommended by one person, approved by another; then the standstill."""
