"""The DNS records that other hosts judge a mail domain by: MX, SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import dns.exception
import dns.resolver

from bitmail.findings import Finding, Verdict

USUAL_SELECTORS = ("default", "mail", "dkim", "s1", "s2", "k1", "k2", "mta", "mx", "smtp", "pic", "selector1")
"""DKIM keys are found by names that only the signer knows; these are the usual ones."""
INCLUDES = {"ses": "amazonses.com", "mailgun": "mailgun.org", "sendgrid": "sendgrid.net"}
"""What SPF has to include for a service to send in the domain's name, unless its bounces go to a domain of its own."""
MOST_LOOKUPS = 10
"""DNS lookups that SPF may cost a receiver (RFC 7208 section 4.6.4)."""
_LOOKUPS = ("include:", "a:", "mx:", "exists:", "redirect=", "ptr")


class Records:
    """The records of one domain."""

    def __init__(self, domain: str, resolver: dns.resolver.Resolver) -> None:
        """
        Args:
            domain: of the accounts.
            resolver: whom to ask, with its time-outs.
        """
        self._domain = domain
        self._resolver = resolver

    def examine(self, services: Iterable[str], selectors: Iterable[str]) -> Iterator[Finding]:
        """What is found of them.

        Args:
            services: the configured providers that have an entry in `INCLUDES`.
            selectors: names of DKIM keys; none for the usual ones.
        """
        checks = (
            ("MX", self._mx),
            ("SPF", lambda: self._spf(tuple(services))),
            ("DKIM", lambda: self._dkim(tuple(selectors))),
            ("DMARC", self._dmarc),
        )
        for name, check in checks:
            try:
                yield check()
            except dns.exception.DNSException as error:
                yield Finding(
                    name,
                    Verdict.UNKNOWN,
                    f"DNS does not answer for {self._domain} ({type(error).__name__}).",
                    "See that this host may ask its name servers (/etc/resolv.conf), then try again.",
                )

    def _mx(self) -> Finding:
        found = sorted(
            (one.preference, one.exchange.to_text(omit_final_dot=True))
            for one in self._ask(self._domain, "MX")
        )
        if not found:
            return Finding(
                "MX",
                Verdict.WARNING,
                f"{self._domain} has no MX record, so that answers and bounces find no way back.",
                f"Add one: {self._domain}. MX 10 and the name of the host that takes mail for it.",
            )
        return Finding(
            "MX", Verdict.OK, f"Mail to {self._domain} goes to {', '.join(host for _, host in found)}."
        )

    def _spf(self, services: tuple[str, ...]) -> Finding:
        found = [text for text in self._texts(self._domain) if text.lower().split(" ")[0] == "v=spf1"]
        wanted = "".join(f" include:{INCLUDES[one]}" for one in services)
        example = f'{self._domain}. TXT "v=spf1 mx{wanted} ~all"'
        if not found:
            return Finding("SPF", Verdict.BAD, f"{self._domain} has no SPF record.", f"Add one: {example}")
        if len(found) > 1:
            return Finding(
                "SPF",
                Verdict.BAD,
                f"{len(found)} SPF records, so none of them counts.",
                "Join them into one.",
            )
        words = found[0].lower().split()
        missing = [INCLUDES[one] for one in services if f"include:{INCLUDES[one]}" not in words]
        lookups = sum(word.lstrip("+-~?").startswith(_LOOKUPS) or word in ("a", "mx") for word in words)
        if "+all" in words or "all" in words:
            return Finding("SPF", Verdict.BAD, "It lets everybody send.", "End it with ~all or -all.")
        if lookups > MOST_LOOKUPS:
            return Finding(
                "SPF",
                Verdict.BAD,
                f"It costs {lookups} lookups, and {MOST_LOOKUPS} are allowed.",
                "Shorten it.",
            )
        if missing:
            return Finding(
                "SPF",
                Verdict.WARNING,
                f"It does not include {', '.join(missing)}.",
                "Add that, unless bounces of that service go to a subdomain which has it.",
            )
        if words[-1] not in ("~all", "-all") and not words[-1].startswith("redirect="):
            return Finding(
                "SPF", Verdict.WARNING, "It does not end with ~all or -all.", "Add ~all at its end."
            )
        return Finding("SPF", Verdict.OK, f"It is “{found[0]}”.")

    def _dkim(self, selectors: tuple[str, ...]) -> Finding:
        there = []
        for selector in selectors or USUAL_SELECTORS:
            for text in self._texts(f"{selector}._domainkey.{self._domain}"):
                tags = _tags(text)
                if tags.get("p"):
                    there.append(selector)
                elif "p" in tags and selectors:
                    return Finding(
                        "DKIM", Verdict.BAD, f"The key {selector} is revoked.", "Publish a new one."
                    )
        missing = [one for one in selectors if one not in there]
        if missing:
            return Finding(
                "DKIM",
                Verdict.BAD,
                f"There is no key by the name {', '.join(missing)}.",
                f"Publish what the provider shows, such as {missing[0]}._domainkey.{self._domain}. TXT or CNAME.",
            )
        if not there:
            return Finding(
                "DKIM",
                Verdict.UNKNOWN,
                "There is no key by any of the usual names.",
                "Look up the selector at your provider, and try again with --selector NAME.",
            )
        return Finding("DKIM", Verdict.OK, f"There is a key by the name {', '.join(there)}.")

    def _dmarc(self) -> Finding:
        name = f"_dmarc.{self._domain}"
        found = [text for text in self._texts(name) if _tags(text).get("v", "").upper() == "DMARC1"]
        if len(found) != 1:
            what = "no DMARC record" if not found else f"{len(found)} DMARC records, so none of them counts"
            example = f'{name}. TXT "v=DMARC1; p=none; rua=mailto:postmaster@{self._domain}"'
            return Finding(
                "DMARC", Verdict.BAD, f"{self._domain} has {what}.", f"Have one, to begin with: {example}"
            )
        policy = _tags(found[0]).get("p", "").lower()
        if policy not in ("none", "quarantine", "reject"):
            return Finding(
                "DMARC", Verdict.BAD, f"Its policy is “{policy}”.", "Take p=none, quarantine or reject."
            )
        if policy == "none":
            return Finding(
                "DMARC",
                Verdict.WARNING,
                "Its policy is none: forged mail in your name is only reported.",
                "When the reports show no mail of yours that fails, take p=quarantine.",
            )
        return Finding("DMARC", Verdict.OK, f"Its policy is {policy}.")

    def _texts(self, name: str) -> list[str]:
        return [b"".join(one.strings).decode("utf-8", "replace") for one in self._ask(name, "TXT")]

    def _ask(self, name: str, kind: str) -> Iterable[Any]:
        try:
            return self._resolver.resolve(name, kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()


def _tags(text: str) -> dict[str, str]:
    """The tag list of RFC 6376 section 3.2."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
