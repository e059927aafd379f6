"""The web tier: the mail model, its HTTP API, and the page (states and views)."""
