"""What keeps the services of a host running: systemd's user units, or supervisord where there is no systemd."""

from __future__ import annotations

from enum import StrEnum, auto

from deploy.hosts import Role
from deploy.remote import Remote

UNITS = ".config/systemd/user"
CONFIGURATION = "bitmail/supervisor/supervisord.conf"
SUPERVISORCTL = f"bitmail/supervisor/venv/bin/supervisorctl -c {CONFIGURATION}"
# With its whole path, since it goes to another folder and reads its configuration again later.
SUPERVISORD = f'bitmail/supervisor/venv/bin/supervisord -c "$HOME/{CONFIGURATION}"'
BUS = 'export XDG_RUNTIME_DIR="/run/user/$(id -u)"; '
PATIENCE = 90
"""Seconds until a service has ended and begun."""

SOCKET_UNIT = """\
# The socket outlives the service: whoever asks during a restart waits, and is answered.
[Unit]
Description=BitMail's port, behind nginx

[Socket]
ListenStream=127.0.0.1:{port}
Backlog=1024

[Install]
WantedBy=sockets.target
"""
SERVICE_UNIT = """\
[Unit]
Description=BitMail {role}
StartLimitIntervalSec=0
{needs}
[Service]
Type=exec
ExecStart=%h/bitmail/current/bin/serve {role}
Restart=always
RestartSec=1
RestartPreventExitStatus=78
KillMode=mixed
TimeoutStopSec=60
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""
SUPERVISORD_CONFIGURATION = """\
[supervisord]
directory=%(here)s
logfile=%(here)s/supervisord.log
pidfile=%(here)s/supervisord.pid
umask=077

[unix_http_server]
file=%(here)s/control
chmod=0600

[supervisorctl]
serverurl=unix://%(here)s/control

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""
PROGRAM = """
[program:{role}]
command=%(here)s/../current/bin/serve {role}
environment={environment}
autostart={autostart}
autorestart=unexpected
exitcodes=0,78
startsecs=3
startretries=1000000
stopwaitsecs=60
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=%(here)s/{role}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=5
"""


class Supervisor(StrEnum):
    """Who keeps services running on a host."""

    SYSTEMD = auto()
    SUPERVISORD = auto()


def supervisor_of(remote: Remote) -> Supervisor:
    """Which one a host has."""
    return Supervisor.SYSTEMD if remote.holds("-d /run/systemd/system") else Supervisor.SUPERVISORD


def install(remote: Remote, environment: str, port: int) -> None:
    """Write the services of a host's roles where its supervisor finds them, to be started at boot from now on.

    Args:
        remote: the host.
        environment: folder with the packages, where supervisord is one of.
        port: where the page listens.
    """
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        _install_units(remote, port)
    else:
        _install_supervisord(remote, environment, port)


def _install_units(remote: Remote, port: int) -> None:
    remote.run(f"mkdir -p {UNITS}")
    for role in remote.host.services:
        needs = ""
        if role is Role.WEB:
            needs = "Requires=bitmail-web.socket\nAfter=bitmail-web.socket\n"
            remote.write(SOCKET_UNIT.format(port=port), f"{UNITS}/bitmail-web.socket")
        remote.write(SERVICE_UNIT.format(role=role, needs=needs), f"{UNITS}/bitmail-{role}.service")
    units = " ".join(f"bitmail-{role}.service" for role in remote.host.services)
    remote.run(f"{BUS}systemctl --user daemon-reload && systemctl --user enable --quiet {units}")
    gone = [f"bitmail-{role}.service" for role in Role if role.serves and role not in remote.host.roles]
    if Role.WEB not in remote.host.roles:
        gone.insert(0, "bitmail-web.socket")
    remote.run(
        f"{BUS}for unit in {' '.join(gone)}; do systemctl --user disable --quiet --now $unit 2>/dev/null; done; true"
    )
    if Role.WEB in remote.host.roles:
        remote.run(f"{BUS}systemctl --user enable --quiet --now bitmail-web.socket")


def _install_supervisord(remote: Remote, environment: str, port: int) -> None:
    remote.run(f"mkdir -p bitmail/supervisor && ln -sfn {environment} bitmail/supervisor/venv")
    programs = [
        PROGRAM.format(
            role=role,
            environment=f'BITMAIL_LISTEN="127.0.0.1:{port}"' if role is Role.WEB else "",
            autostart="true",
        )
        for role in remote.host.services
    ]
    remote.write(SUPERVISORD_CONFIGURATION + "".join(programs), CONFIGURATION)
    # With no release yet its programs go on trying, and the first deploy finds them.
    remote.run(f"if {SUPERVISORCTL} pid >/dev/null 2>&1; then {SUPERVISORCTL} update; else {SUPERVISORD}; fi")


def restart(remote: Remote, role: Role) -> None:
    """Let the current release begin to serve in place of the one that does; the port stays open."""
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        remote.run(f"{BUS}systemctl --user restart bitmail-{role}.service", timeout=PATIENCE)
        return
    # SIGHUP makes the keeper start the current release with the socket it holds.
    remote.run(
        f"{SUPERVISORCTL} status {role} | grep -q RUNNING && {SUPERVISORCTL} signal HUP {role} "
        f"|| {{ {SUPERVISORCTL} stop {role}; {SUPERVISORCTL} start {role}; }}",
        timeout=PATIENCE,
    )


def stop(remote: Remote, role: Role) -> None:
    """End a service until it is restarted."""
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        remote.run(f"{BUS}systemctl --user stop bitmail-{role}.service", timeout=PATIENCE)
    else:
        remote.run(f"{SUPERVISORCTL} stop {role}", timeout=PATIENCE)


def state(remote: Remote, role: Role) -> str:
    """How a service is, in its supervisor's words."""
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        return remote.ask(f"{BUS}systemctl --user is-active bitmail-{role}.service", check=False)
    return " ".join(remote.ask(f"{SUPERVISORCTL} status {role}", check=False).split()[1:])


def log(remote: Remote, role: Role, lines: int) -> str:
    """The last lines that a service wrote."""
    if supervisor_of(remote) is Supervisor.SYSTEMD:
        return remote.ask(f"journalctl --user-unit bitmail-{role} --no-pager -o cat -n {lines}", check=False)
    return remote.ask(f"tail -n {lines} bitmail/supervisor/{role}.log", check=False)
