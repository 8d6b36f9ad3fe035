"""`northstar serve` for tests: started on a free port of 127.0.0.1, stopped by its process id."""

import json
import pathlib
import subprocess

import boto3
import botocore.config

REGION = "us-east-1"
ACCOUNT = "000000000000"
KEY_ID, SECRET = "NORTHSTARTEST", "a-secret-of-the-tests-0123456789"


class Server:
    """A server over the warehouse in `folder`, as a context. With keys unless it is anonymous."""

    def __init__(self, binary, folder, *arguments, anonymous=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.warehouse = self.folder / "lake"
        who = ["--anonymous"] if anonymous else ["--keys", str(self._keys())]
        self.command = [str(binary), "--warehouse", str(self.warehouse), "serve", *who, *arguments]
        self.process = None

    def _keys(self):
        secret = self.folder / "secret"
        secret.write_text(SECRET, encoding="utf-8")
        secret.chmod(0o600)
        keys = self.folder / "keys.toml"
        text = f'[[key]]\nid = "{KEY_ID}"\nactor = "tester"\nsecret = "file:{secret}"\n'
        keys.write_text(text, encoding="utf-8")
        return keys

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, listen="127.0.0.1:0"):
        log = open(self.folder / "server.log", "ab")  # noqa: SIM115
        with log:
            self.process = subprocess.Popen(
                [*self.command, "--listen", listen], stdout=subprocess.PIPE, stderr=log, text=True
            )
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            self.process.wait()
            raise RuntimeError(f"the server did not start: {self.log()[-2000:]}")
        self.url = line.split()[2]
        self.address = self.url.split("//")[1]

    def stop(self):
        """Ends it as an operator would; its exit code is 0."""
        self.process.terminate()
        code = self.process.wait()
        self.process.stdout.close()
        if code != 0:
            raise RuntimeError(f"the server ended with {code}: {self.log()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def is_up(self):
        return self.process.poll() is None

    def log(self):
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def sql(self, statement):
        """The rows of a statement that the program itself runs on the same warehouse."""
        command = [self.command[0], "--warehouse", self.warehouse, "--output", "json", "sql", statement]
        return rows_of(command)

    def client(self, service, **settings):
        """A boto3 client of a service, without retries of its own unless asked for."""
        retries = settings.pop("retries", {"total_max_attempts": 1})
        config = botocore.config.Config(retries=retries, max_pool_connections=64, **settings)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            config=config,
        )


def rows_of(command):
    """The rows that a command prints as JSON."""
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"northstar: {done.stderr}")
    lines = (line for line in done.stdout.splitlines() if line.startswith("{"))
    return [list(json.loads(line).values()) for line in lines]
