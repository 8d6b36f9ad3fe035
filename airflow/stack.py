"""Airflow on one machine: its API server, scheduler, DAG processor and triggerer, as processes of ours."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import place

DAGS = Path(__file__).parent / "dags"
POOLS = Path(__file__).parent / "pools.json"
# All are on one machine, where the API reads log files itself. Their log servers would listen on all addresses.
COMPONENTS = {
    "api-server": [],
    "scheduler": ["--skip-serve-logs"],
    "dag-processor": [],
    "triggerer": ["--skip-serve-logs"],
}
ROLE = f"arn:aws:iam::{place.ACCOUNT}:role/northstar-jobs"
# The server knows the launcher by its name alone; on AWS this is its place in a bucket.
ENTRY_POINT = "s3://northstar-jobs/launcher.py"
GRACE_SECONDS = 10


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def connection(url: str, **more: object) -> str:
    """A connection of AWS whose services are all at one URL, as a variable of the environment holds it."""
    extra = {"region_name": place.REGION, "endpoint_url": url, **more}
    return json.dumps({"conn_type": "aws", "login": "local", "password": "local", "extra": extra})


class Airflow:
    """An Airflow whose files are all in `home`."""

    def __init__(
        self, python: Path, home: Path, *, dags: Path = DAGS, port: int | None = None, password: str | None = None
    ):
        self.program = [str(python), "-m", "airflow"]
        self.home, self.port = home, port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = password or secrets.token_urlsafe(9)
        self.processes: dict[str, subprocess.Popen] = {}
        home.mkdir(parents=True, exist_ok=True)
        passwords = home / "passwords.json"
        passwords.write_text(json.dumps({"admin": self.password}), encoding="utf-8")
        passwords.chmod(0o600)
        settings = {
            "core__dags_folder": dags,
            "core__load_examples": False,
            "core__fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "core__execution_api_server_url": f"{self.url}/execution/",
            "core__simple_auth_manager_users": "admin:admin",
            "core__simple_auth_manager_passwords_file": passwords,
            "database__sql_alchemy_conn": f"sqlite:///{home}/airflow.db",
            "api__host": "127.0.0.1",
            "api__port": self.port,
            "api__base_url": self.url,
            "api__workers": 1,
            "api__secret_key": secrets.token_hex(16),
            "api_auth__jwt_secret": secrets.token_hex(32),
            "usage_data_collection__enabled": False,
        }
        named = {f"AIRFLOW__{name.upper()}": str(value) for name, value in settings.items()}
        self.environment = {**os.environ, **named, "AIRFLOW_HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}

    def tell(self, url: str, variable: dict, **more: object) -> None:
        """The connection to a server of AWS' APIs, and the Variable of the DAGs."""
        self.environment["AIRFLOW_CONN_AWS_DEFAULT"] = connection(url, **more)
        self.environment["AIRFLOW_VAR_NORTHSTAR"] = json.dumps(variable)

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess:
        """A command of Airflow to its end."""
        environment = {**self.environment, **more}
        return subprocess.run([*self.program, *words], env=environment, text=True, capture_output=True, check=False)

    def prepare(self) -> None:
        """The database and the pools."""
        for words in (["db", "migrate"], ["pools", "import", str(POOLS)]):
            done = self.run(*words)
            if done.returncode != 0:
                raise RuntimeError(f"airflow {' '.join(words)}: {done.stdout[-2000:]} {done.stderr[-2000:]}")

    def start(self) -> None:
        """All components. Returns when the API answers and the others have reported."""
        for name, options in COMPONENTS.items():
            with (self.home / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [*self.program, name, *options],
                    env=self.environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        while not self._is_healthy():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"airflow {name} ended: {(self.home / f'{name}.log').read_text()[-3000:]}")
            time.sleep(0.2)

    def _is_healthy(self) -> bool:
        try:
            health = self.get("/api/v2/monitor/health")
        except (urllib.error.URLError, ConnectionError):
            return False
        return all(health[name]["status"] == "healthy" for name in ("scheduler", "dag_processor", "triggerer"))

    def stop(self) -> None:
        """All components, those last that the others report to. A server waits for its clients, such as a
        browser; it gets some seconds."""
        for name in reversed(COMPONENTS):
            process = self.processes.pop(name, None)
            if process is None:
                continue
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def token(self) -> str:
        body = {"username": "admin", "password": self.password}
        return self.ask("POST", "/auth/token", body)["access_token"]

    def get(self, path: str, token: str | None = None) -> dict:
        return self.ask("GET", path, None, token)

    def ask(self, method: str, path: str, body: dict | None = None, token: str | None = None) -> dict:
        """What the REST API answers."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else {}
