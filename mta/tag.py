"""The name under which providers carry our delivery id, and give it back in their reports."""

from __future__ import annotations

DELIVERY_TAG = "bitmail-id"
"""An e-mail tag at SES, a user variable at Mailgun (`v:bitmail-id`), a custom argument at SendGrid."""
