"""The key vault: lot keys in two shares, outside the database, released by the vault's own reading of the time."""
