"""The living style page: every component once, for the tests of the look. Not a page of the site."""
