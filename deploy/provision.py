"""What a host needs once before its first release; the only step that needs root, by `sudo`."""

from __future__ import annotations

from deploy import keys, releases, supervisor
from deploy.artefact import Artefact
from deploy.errors import DeployError
from deploy.hosts import Role, Stage
from deploy.remote import Remote
from deploy.supervisor import Supervisor, supervisor_of

PACKAGES = 600
"""Seconds that apt gets."""
TLS = "/etc/bitmail"
NGINX = "/etc/nginx/conf.d/bitmail.conf"
NEEDS = {
    "python3": "{python} -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))'",
    "nginx-light": "command -v nginx || [ -x /usr/sbin/nginx ]",
    "openssl": "command -v openssl",
}
"""Packages of the system, and how to see that each is there."""

PROXY = """\
# BitMail behind TLS; written by `./fab provision`.
map $http_upgrade $connection_upgrade {{
    default upgrade;
    '' '';
}}
server {{
    listen {port} ssl;
    server_name {domain};
    ssl_certificate {tls}/certificate.pem;
    ssl_certificate_key {tls}/key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    add_header Strict-Transport-Security "max-age=31536000" always;
    client_max_body_size 41m;
    location / {{
        proxy_pass http://127.0.0.1:{backend};
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        # A restart holds requests back for some seconds; a page's websocket is silent for as long as its person is.
        proxy_connect_timeout 10s;
        proxy_read_timeout 1h;
        proxy_request_buffering off;
        proxy_buffering off;
    }}
}}
"""
REDIRECT = """\
server {{
    listen 80;
    server_name {domain};
    return 301 https://{authority}$request_uri;
}}
"""


def provision(remote: Remote, artefact: Artefact) -> None:
    """Make a host ready for its first release; again on one that is ready, it only brings changes.

    Raises:
        DeployError: with what to do.
    """
    stage, host = remote.stage, remote.host
    _install_packages(remote)
    if not host.services:
        return
    releases.make_environment(remote, artefact)
    if not stage.settings.exists():
        raise DeployError(f"{stage.settings} is missing. Write the BITMAIL_… settings of the stage there.")
    settings = stage.settings.read_text()
    if stage.keys is not None:
        remote.put(stage.keys, f"{releases.BASE}/shared/keys.sealed")
        settings += f"\n{keys.SETTING}={keys.place(remote)}\n"
    remote.write(settings, f"{releases.BASE}/shared/env", mode="600")
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        # Units of a user start at boot and outlive the last log-in; and the user may read what they log.
        remote.run(
            'sudo -n loginctl enable-linger "$(id -un)" && sudo -n usermod -aG systemd-journal "$(id -un)"'
        )
    if Role.WEB in host.roles:
        _install_proxy(remote, stage)
    supervisor.install(remote, f"../venvs/{artefact.wheels_key}", releases.PORT)
    if not remote.dry:
        remote.say("is ready for a release")


def _install_packages(remote: Remote) -> None:
    wanted = NEEDS if remote.host.services else {}
    tests = {package: test.format(python=remote.stage.python) for package, test in wanted.items()}
    if Role.WEB not in remote.host.roles:
        tests.pop("nginx-light", None)
    looks = "; ".join(f"{{ {test}; }} >/dev/null 2>&1 || echo {package}" for package, test in tests.items())
    if missing := remote.ask(looks or "true").split():
        words = " ".join(missing)
        remote.say(f"installing {words} …")
        remote.run(
            "sudo -n env DEBIAN_FRONTEND=noninteractive sh -c "
            f"'apt-get update -q && apt-get install -q -y --no-install-recommends {words}'",
            timeout=PACKAGES,
        )


def _install_proxy(remote: Remote, stage: Stage) -> None:
    aside = f"{releases.BASE}/shared"
    text = PROXY.format(port=stage.port, domain=stage.domain, tls=TLS, backend=releases.PORT)
    if stage.port == 443:
        text += REDIRECT.format(domain=stage.domain, authority=stage.authority)
    remote.run(f"sudo -n install -d -m 755 {TLS}")
    if stage.certificate is not None and stage.certificate_key is not None:
        remote.write(stage.certificate.read_text(), f"{aside}/certificate.pem")
        remote.write(stage.certificate_key.read_text(), f"{aside}/key.pem", mode="600")
        remote.run(
            f"sudo -n install -m 644 {aside}/certificate.pem {TLS}/certificate.pem && "
            f"sudo -n install -m 600 {aside}/key.pem {TLS}/key.pem && rm {aside}/certificate.pem {aside}/key.pem"
        )
    else:
        remote.run(
            f"sudo -n test -e {TLS}/key.pem || sudo -n openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
            f"-nodes -days 825 -subj /CN={stage.domain} -addext subjectAltName=DNS:{stage.domain} "
            f"-keyout {TLS}/key.pem -out {TLS}/certificate.pem 2>/dev/null"
        )
    remote.write(text, f"{aside}/nginx.conf")
    remote.run(
        f"sudo -n install -m 644 {aside}/nginx.conf {NGINX} && sudo -n rm -f /etc/nginx/sites-enabled/default "
        "&& sudo -n /usr/sbin/nginx -q -t"
    )
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        remote.run("sudo -n systemctl enable --quiet nginx && sudo -n systemctl reload-or-restart nginx")
    else:
        remote.run("sudo -n /usr/sbin/nginx -s reload 2>/dev/null || sudo -n /usr/sbin/nginx")
