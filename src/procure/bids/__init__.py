"""Bids: drafted, sealed on submission, unreadable to everyone until the lot is opened."""
