"""The storage tier: a JSON-subset store, blobs, and the database below them. It knows no mail."""
