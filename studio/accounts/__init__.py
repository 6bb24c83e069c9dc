"""Signing in and the people who do: invitation, roles, deactivation."""
