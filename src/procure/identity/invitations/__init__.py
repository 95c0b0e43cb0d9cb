"""Invitations into an organisation, accepted by whoever has the code, with the token of their own sign-on."""
