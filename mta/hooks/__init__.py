"""Hooks: what providers call us with. Each module turns the raw bytes of a call into verified facts."""
