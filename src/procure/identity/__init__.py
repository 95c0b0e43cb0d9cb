"""Who is calling: clients, persons, memberships, tokens."""
