"""What the office asks about more than one session at a time. Queries and arithmetic; the pages are in ``views``."""
