"""Two hosts behind TLS, one with systemd and one without: releases come and go, and nobody who uses them notices."""

from __future__ import annotations

from tests.deploy.conftest import Stage
from tests.deploy.load import Script, load

PASSWORD = "correct horse battery"

BROKEN = "raise RuntimeError('broken')"
BROKEN_ON_WEB2 = """
import os, socket
if socket.gethostname() == "web2" and "BITMAIL_LISTEN" in os.environ:
    raise RuntimeError("broken on this host alone")
"""


def serving(stage: Stage) -> dict[str, str]:
    """The release of each host, as its processes say."""
    lines = [line.split() for line in stage.project.does("status", "--stage", "lab").splitlines()]
    return {line[0]: line[2].rstrip(";") for line in lines if line[1:2] == ["serves"]}


def test_releases_when_deployed_refused_and_rolled_back_under_load_then_no_request_fails(
    stage: Stage,
) -> None:
    project, machines = stage.project, stage.lab.machines
    assert serving(stage) == {"web1": "r1", "web2": "r1"}
    scripts = [Script(machine.address, "ada", PASSWORD) for machine in machines.values()]
    with load(*scripts):
        project.release("r2")
        project.does("deploy", "--stage", "lab")
        assert serving(stage) == {"web1": "r2", "web2": "r2"}

        project.release("r3", store__settings=BROKEN)
        refused = project.fab("deploy", "--stage", "lab")
        assert refused.returncode == 1
        assert "broken" in refused.stderr
        assert serving(stage) == {"web1": "r2", "web2": "r2"}
        project.git("checkout", "-q", "r2")

        project.release("r4", store__settings=BROKEN_ON_WEB2)
        put_back = project.fab("deploy", "--stage", "lab")
        assert put_back.returncode == 1
        assert "r4 failed on web2" in put_back.stderr
        assert serving(stage) == {"web1": "r2", "web2": "r2"}

        project.does("rollback", "--stage", "lab")
        assert serving(stage) == {"web1": "r1", "web2": "r1"}
        assert "r4" not in project.does("releases", "--stage", "lab")
        project.does("rollback", "--stage", "lab", "--tag", "r2")
    for script in scripts:
        assert script.failures == []
        assert {"r1", "r2"} <= set(script.versions)
        assert script.requests > 50
    print({script.requests: (dict(script.versions), len(script.sent), script.slowest) for script in scripts})
