"""postgres/start.sh with a real PostgreSQL: its first start, killed anywhere, and later ones."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from trainyard_devtools.repo import ROOT

from ..control_plane import free_ports, wait_for
from ..postgres import binaries, migrate

pytestmark = [pytest.mark.component, pytest.mark.timeout(180)]

START = ROOT / "postgres" / "start.sh"
PASSWORD = "it's a password, 'quoted'"
KILLED = """
set -T
trap '[ $((count += 1)) -lt "$KILL_AT" ] || kill -KILL $$' DEBUG
. "$0"
"""
"""For bash: run the script, and be killed before its KILL_AT-th command."""
COMMANDS = 20
"""Fewer than there are in the script, so that no command is missed by a slip of the test."""


class Server:
    """The start script on one volume, run by the user that PostgreSQL's package makes."""

    def __init__(self, volume: Path, programs: Path) -> None:
        self.volume = volume
        self.data = volume / "postgres"
        self._programs = programs
        (self._port,) = free_ports(1)
        self.url = f"postgresql://trainyard:{quote(PASSWORD)}@127.0.0.1:{self._port}/trainyard"

    def run(
        self, *command: str, password: str = PASSWORD, **variables: str
    ) -> subprocess.Popen[str]:
        """Start a command in the script's environment, in a process group of its own."""
        user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        return subprocess.Popen(
            [
                *user,
                *command,
                "-cport=" + str(self._port),
                f"-cunix_socket_directories={self.volume}",
            ],
            env={
                "PATH": f"{self._programs}:{os.environ['PATH']}",
                "PGDATA": str(self.data),
                "DATABASE_PASSWORD": password,
                **variables,
            },
            cwd=self.volume,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def start(self, *arguments: str, **options: str) -> subprocess.Popen[str]:
        return self.run("sh", str(START), *arguments, **options)

    def ask(self, statement: str, *, password: str = PASSWORD, user: str = "trainyard") -> str:
        """What psql answers over TCP. Raises `CalledProcessError` when it is refused."""
        done = subprocess.run(
            [
                *(self._programs / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
                *("--host=127.0.0.1", f"--port={self._port}", f"--username={user}"),
                *("--dbname=trainyard", f"--command={statement}"),
            ],
            env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def administer(self, *command: str, stdin: bytes = b"") -> bytes:
        """What a program prints that connects as the superuser, as `kubectl exec` would run it."""
        user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        path = f"{self._programs}:{os.environ['PATH']}"
        done = subprocess.run(
            [*user, *command],
            env={"PATH": path, "PGHOST": str(self.volume), "PGPORT": str(self._port)},
            cwd=self.volume,
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout

    @contextmanager
    def serving(self, password: str = PASSWORD) -> Iterator[subprocess.Popen[str]]:
        """The server from when it takes the password; stopped as Kubernetes stops it."""
        process = self.start(password=password)

        def answers() -> bool:
            assert process.poll() is None, ended(process)
            try:
                return self.ask("SELECT 1", password=password) == "1"
            except subprocess.CalledProcessError:
                return False

        try:
            wait_for("the server takes the password", answers, 60)
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            ended(process)


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the end of the process; gives its error output."""
    return process.communicate(timeout=60)[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    programs = binaries(tmp_path / "apt-get.log")
    # pytest's own folders are closed to other users; in memory, since initdb syncs what it writes.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o777)
        yield Server(Path(folder), programs)


def test_a_first_start_that_is_killed_before_any_command_is_made_up_for(server: Server) -> None:
    # Each start begins with what the one before left, and gets one command further.
    for command in itertools.count(1):
        # With -C the server prints a setting and ends, instead of serving.
        process = server.run(
            *("bash", "--posix", "-c", KILLED, str(START), "-C", "port"), KILL_AT=str(command)
        )
        said = ended(process)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
    assert command > COMMANDS
    with server.serving():
        assert server.ask("SELECT current_user") == "trainyard"
    assert sorted(path.name for path in server.volume.iterdir()) == ["lock", "postgres"]


@pytest.mark.parametrize("reached", ["PG_VERSION", "base/5", "pg_hba.conf"])
def test_a_first_start_that_is_killed_within_a_command_is_made_up_for(
    server: Server, reached: str
) -> None:
    process = server.start()
    wait_for(reached, (server.volume / "postgres.new" / reached).exists)
    os.killpg(process.pid, signal.SIGKILL)
    ended(process)
    assert not server.data.exists()
    with server.serving():
        assert server.ask("SELECT current_user") == "trainyard"


def test_data_outlives_a_kill_and_a_new_password(server: Server) -> None:
    with server.serving() as process:
        server.ask("CREATE TABLE kept AS SELECT 42 AS answer")
        os.killpg(process.pid, signal.SIGKILL)
    with server.serving(password="another"):
        assert server.ask("SELECT answer FROM kept", password="another") == "42"
        with pytest.raises(subprocess.CalledProcessError, match="exit status 2"):
            server.ask("SELECT 1")


def test_it_is_reached_with_the_password_by_its_own_role_only(server: Server) -> None:
    with server.serving():
        superuser = server.ask("SELECT usesuper FROM pg_user WHERE usename = current_user")
        assert superuser == "f"
        for user, password in (("postgres", PASSWORD), ("trainyard", "")):
            with pytest.raises(subprocess.CalledProcessError):
                server.ask("SELECT 1", user=user, password=password)
        stored = [path for path in server.volume.rglob("*") if path.is_file()]
        assert stored
        assert not [path for path in stored if PASSWORD.encode() in path.read_bytes()]


def test_a_dump_is_restored_as_the_documentation_says(server: Server) -> None:
    text = (ROOT / "docs" / "operations.md").read_text().replace("\\\n", " ")
    dump, restore = (
        re.findall(
            rf"kubectl -n trainyard exec (?:-i )?trainyard-postgres-0 -- ({program} [^<>]*)", text
        )[0].split()
        for program in ("pg_dump", "pg_restore")
    )
    with server.serving():
        migrate(server.url)
        server.ask("INSERT INTO usuarios (id, subject) VALUES (gen_random_uuid(), 'ada')")
        dumped = server.administer(*dump)
    shutil.rmtree(server.data)
    with server.serving():
        # The API has made its tables by then.
        migrate(server.url)
        server.administer(*restore, stdin=dumped)
        assert server.ask("SELECT subject FROM usuarios") == "ada"
        migrate(server.url)


def test_it_stops_while_a_client_is_connected(server: Server) -> None:
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    with server.serving() as process, ThreadPoolExecutor(1) as pool:
        asleep = pool.submit(server.ask, "SELECT pg_sleep(60)")
        wait_for("the client is connected", lambda: server.ask(sleeping) == "1")
        process.send_signal(signal.SIGINT)
        assert isinstance(asleep.exception(timeout=10), subprocess.CalledProcessError)
        ended(process)
    assert process.returncode == 0


def test_a_second_server_waits_for_the_volume(server: Server) -> None:
    with server.serving():
        second = server.start(LOCK_SECONDS="1")
        assert "another server has" in ended(second)
        assert second.returncode == 1
        assert server.ask("SELECT 1") == "1"


@pytest.mark.parametrize("password", ["", "two\nlines"])
def test_a_password_that_cannot_be_is_refused(server: Server, password: str) -> None:
    process = server.start(password=password)
    assert "DATABASE_PASSWORD" in ended(process)
    assert process.returncode != 0
    assert not server.data.exists()
