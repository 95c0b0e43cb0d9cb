"""Webhooks: what the journal tells an organisation, brought to an address of its own (standardwebhooks.com)."""
