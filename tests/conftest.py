"""For every test: no credentials of the machine are used, so no mail goes out by accident."""

from __future__ import annotations

import os

for name in list(os.environ):
    if name.startswith(("AWS_", "SES_", "MAILGUN_", "SENDGRID_", "SMTP_")):
        del os.environ[name]
