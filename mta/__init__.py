"""The sending tier: one container over several MTA providers, with a durable spool. It knows no page."""
