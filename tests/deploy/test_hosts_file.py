"""The file of hosts, and what a release may be made of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.artefact import refuse_dirty_tree
from deploy.errors import BadHosts, BadTree
from deploy.hosts import ROOT, Role, read_stage

EXAMPLE = ROOT / "deploy/hosts.example.toml"


def test_the_example_when_read_then_says_what_it_says() -> None:
    stage = read_stage("bitlab", EXAMPLE)
    assert [(host.name, host.ssh_port, host.roles) for host in stage.hosts] == [
        ("web1", 22, (Role.WEB,)),
        ("web2", 22, (Role.WEB,)),
        ("db", 22, (Role.DATABASE,)),
    ]
    assert [host.name for host in stage.serving()] == ["web1", "web2"]
    assert stage.known_hosts == ROOT / "deploy/known_hosts"
    assert stage.authority == "mail.example.com"
    assert read_stage("staging", EXAMPLE).user == "deploy"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[stages.x", "at end of document"),
        ("[stages.y]", "has no stage 'x'. It has: y."),
        ("[stages.x]\ndomain = 'a'", "Field required"),
        ("[stages.x]\ndomain = 'a; rm -rf /'", "domain: String should match"),
        ("[stages.x]\ndomian = 'a'", "stages.x.domian: Extra inputs are not permitted"),
    ],
)
def test_a_file_when_it_is_wrong_then_is_refused_with_the_place(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text(text)
    with pytest.raises(BadHosts) as refused:
        read_stage("x", file)
    assert says in str(refused.value)


def test_a_host_when_its_port_is_named_then_that_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    web2 = 'address = "192.0.2.12"'
    file.write_text(EXAMPLE.read_text().replace(web2, f"ssh_port = 2222\n{web2}"))
    assert [host.ssh_port for host in read_stage("bitlab", file).hosts] == [22, 2222, 22]


def test_a_file_when_missing_then_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(BadHosts, match=r"Copy deploy/hosts\.example\.toml there"):
        read_stage("x", tmp_path / "hosts.toml")


def test_two_hosts_when_of_one_name_then_refused(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    host = '[[stages.x.hosts]]\nname = "a"\naddress = "a"\nroles = ["web"]\n'
    file.write_text(f'[stages.x]\ndomain = "a"\nknown_hosts = "k"\nsettings = "s"\n{host}{host}')
    with pytest.raises(BadHosts, match="two hosts have one name"):
        read_stage("x", file)


def test_a_tree_when_something_is_in_no_commit_then_no_release_is_made_of_it(tmp_path: Path) -> None:
    with pytest.raises(BadTree, match="is no git repository"):
        refuse_dirty_tree(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    refuse_dirty_tree(tmp_path)
    (tmp_path / "new").touch()
    with pytest.raises(BadTree, match=r"\?\? new"):
        refuse_dirty_tree(tmp_path)
