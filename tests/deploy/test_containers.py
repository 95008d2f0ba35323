"""The image, the compose file and the manifests: what linters and schemas say of them, and what they promise."""

from __future__ import annotations

import contextlib
import shutil
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError

from hub.cli.main import command
from hub.config.settings import load_settings
from hub.flow.check import problems_of
from hub.queue.bell import RedisBell
from hub.queue.embedded import find_server
from hub.registry import Registry
from tests.deploy.material import DEPLOY, program, run
from tests.deploy.running import SECRET
from tests.servers import free_port, wait_for

MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
VERSIONS = ("1.29", "1.31", "1.34")
PARTS = {"web", "process", "deliver", "scheduler"}


def manifests(kind: str) -> dict[str, Any]:
    """All manifests of a kind by name."""
    found = (one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text("utf-8")))
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def pods() -> dict[str, Any]:
    """What each pod is made of, by the part's name."""
    made = {**manifests("Deployment"), **manifests("Job")}
    return {name.removeprefix("hubbub-"): one["spec"]["template"]["spec"] for name, one in made.items()}


@pytest.fixture
def compose(tmp_path: Path) -> Any:
    """The compose file as Compose reads it, with the secrets that its script makes."""
    folder = tmp_path / "docs/deploy"
    shutil.copytree(DEPLOY, folder)
    made = run(folder / "compose/secrets.sh")
    assert made.returncode == 0, made.stderr
    told = run(program("docker-compose"), "-f", folder / "compose/compose.yaml", "config")
    assert told.returncode == 0, told.stderr
    return yaml.safe_load(told.stdout)


def test_a_linter_finds_nothing_wrong_with_the_dockerfile() -> None:
    told = run(Path(sys.executable).with_name("hadolint"), DEPLOY / "docker/Dockerfile")
    assert (told.stdout, told.returncode) == ("", 0)


def test_the_linter_sees_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN apt-get install x\n")
    assert run(Path(sys.executable).with_name("hadolint"), tmp_path / "Dockerfile").returncode == 1


def test_the_image_runs_as_a_user_without_rights_and_holds_no_secret() -> None:
    lines = (DEPLOY / "docker/Dockerfile").read_text("utf-8").splitlines()
    assert "USER 10001:10001" in lines
    assert [line for line in lines if "password" in line.lower() or "secret=" in line.lower()] == []
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text("utf-8").splitlines()
    copied = {
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    }
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert "*" in ignored


def test_compose_takes_the_file_and_starts_each_part(compose: Any) -> None:
    started = {name: one["command"] for name, one in compose["services"].items() if one["image"].startswith("hubbub")}
    assert set(started) == {*PARTS, "migrate"}
    assert all(words[0] in command().commands for words in started.values())


def test_parts_wait_for_the_database_the_bell_and_the_migration(compose: Any) -> None:
    for part in PARTS:
        waits = compose["services"][part]["depends_on"]
        assert {name: one["condition"] for name, one in waits.items()} == {
            "postgres": "service_healthy",
            "redis": "service_healthy",
            "migrate": "service_completed_successfully",
        }
    assert all("healthcheck" in compose["services"][name] for name in ("web", "postgres", "redis"))


def test_only_the_proxy_can_be_reached_from_outside(compose: Any) -> None:
    assert [name for name, one in compose["services"].items() if "ports" in one] == ["web"]
    assert compose["services"]["caddy"]["network_mode"] == "service:web"
    assert tomllib.loads(configured())["web"]["host"] == "127.0.0.1"


def configured() -> str:
    return (DEPLOY / "compose/config/config.toml").read_text("utf-8")


def test_secrets_are_files_of_their_own_and_no_two_alike(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "compose", tmp_path / "compose")
    first, again = (run(tmp_path / "compose/secrets.sh") and read(tmp_path / "compose/secrets") for _ in range(2))
    assert first == again
    assert len({*first.values()}) == len(first) == 5
    assert first["redis_password"] in first["redis_url"]
    assert stat.S_IMODE((tmp_path / "compose/secrets").stat().st_mode) == 0o700


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifests_are_what_kubernetes_asks_for(version: str) -> None:
    told = run(sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version, *MANIFESTS)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_schemas_see_a_mistake(tmp_path: Path) -> None:
    wrong = MANIFESTS[2].read_text("utf-8").replace("periodSeconds: 2", "everySeconds: 2")
    (tmp_path / "web.yaml").write_text(wrong)
    told = run(sys.executable, "-m", "kubernetes_validate", "--strict", "-k", VERSIONS[0], tmp_path / "web.yaml")
    assert told.returncode == 1
    assert "everySeconds" in told.stdout + told.stderr


def test_each_part_has_a_pod_that_runs_a_command_of_the_hub() -> None:
    started = {name: pod["containers"][0]["args"] for name, pod in pods().items()}
    assert set(started) == {*PARTS, "migrate", "listen"}
    assert all(words[0] in command().commands for words in started.values())


@pytest.mark.parametrize("part", sorted(pods()))
def test_a_pod_has_no_rights_and_no_secret_in_its_manifest(part: str) -> None:
    pod, (container,) = pods()[part], pods()[part]["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert "env" not in container
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}


def test_the_web_pod_is_asked_if_it_lives_and_if_it_is_ready() -> None:
    (container,) = pods()["web"]["containers"]
    asked = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz?accept"}


def test_only_webhooks_come_in_by_the_ingress() -> None:
    (ingress,) = manifests("Ingress").values()
    assert [path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]] == ["/in/"]


def test_no_secret_stands_in_a_configuration_of_the_examples() -> None:
    settings = [configured(), manifests("ConfigMap")["hubbub-config"]["data"]["config.toml"]]
    for text in settings:
        read_ = tomllib.loads(text)
        assert [set(read_[table]["url"]) for table in ("database", "redis")] == [{"file"}, {"file"}]


@pytest.mark.servers
def test_redis_of_the_compose_file_asks_for_the_password(tmp_path: Path) -> None:
    (tmp_path / "redis_password").write_text("sesame")
    (tmp_path / "redis-server").symlink_to(find_server())
    port = free_port()
    known, stranger = Redis(port=port, password="sesame"), Redis(port=port)
    with answering(redis_command(tmp_path, port), port, tmp_path), known, stranger:
        assert known.ping()
        with pytest.raises(AuthenticationError):
            stranger.ping()
        RedisBell(f"redis://:sesame@127.0.0.1:{port}/0").check()


def redis_command(folder: Path, port: int) -> list[str]:
    """The command of the service `redis`, with this folder's password, on a port of this machine alone."""
    words = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text("utf-8"))["services"]["redis"]["command"]
    script = words[-1].replace("$$", "$").replace("/run/secrets", str(folder))
    return [*words[:-1], script.replace("'requirepass", f"'port {port}\\nbind 127.0.0.1\\nrequirepass")]


@contextmanager
def answering(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """Start a server that is found in a folder, and wait for it."""
    env = {"PATH": f"{folder}:/usr/bin:/bin"}
    server = subprocess.Popen(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port))
        yield
    finally:
        server.terminate()
        server.wait(10)


def is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


CONFIGURATIONS = {
    "compose": configured(),
    "kubernetes": manifests("ConfigMap")["hubbub-config"]["data"]["config.toml"],
}
SECRETS = {
    "database_url": "postgresql://hubbub:sesame@postgres/hubbub",
    "redis_url": "redis://:sesame@redis:6379/0",
    "shop_webhook": SECRET,
}


@pytest.mark.parametrize("name", sorted(CONFIGURATIONS))
def test_a_configuration_of_the_examples_is_right_once_its_secrets_are_there(tmp_path: Path, name: str) -> None:
    text = CONFIGURATIONS[name]
    for place in ("/run/secrets", "/etc/hubbub-secrets", "/var/lib/hubbub"):
        text = text.replace(place, str(tmp_path))
    for secret, value in SECRETS.items():
        (tmp_path / secret).write_text(value)
    for file in ("rules.toml", "topics.toml"):
        (tmp_path / file).write_text("")
    (tmp_path / "config.toml").write_text(text)
    settings = load_settings(tmp_path / "config.toml")
    assert problems_of(settings, Registry()) == []
    assert settings.redis_url == SECRETS["redis_url"]
    assert SECRET not in text


def test_rules_and_topics_of_the_manifests_are_right() -> None:
    data = manifests("ConfigMap")["hubbub-config"]["data"]
    assert tomllib.loads(data["rules.toml"]) == {"rule": []}
    assert [one["name"] for one in tomllib.loads(data["topics.toml"])["topic"]] == ["brand"]
