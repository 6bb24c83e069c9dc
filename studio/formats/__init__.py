"""Where Django's formats of a language are not those of the studios that this is made for."""
