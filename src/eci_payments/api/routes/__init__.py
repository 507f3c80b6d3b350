"""Every endpoint: what it makes of a request, what carries it out, and how it is documented."""
