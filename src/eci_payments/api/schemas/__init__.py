"""The shapes of the wire: requests as they are checked, responses and problems as they are documented."""
