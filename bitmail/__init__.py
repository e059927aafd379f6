"""The web tier: pages, state classes and the mail model; and how the server is started."""
