"""A real Postgres of Debian's binaries that a test can pause, kill and bring back."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from localcluster.packages import install

from .control_plane import free_ports, wait_for

_USER = "postgres"
_TEMPLATE = "migrated"
_BINARIES = Path("/usr/lib/postgresql")


def binaries(log: Path) -> Path:
    """The folder of initdb, postgres and the like, installed if they are not there."""
    if not list(_BINARIES.glob("*/bin/postgres")):
        install(["postgresql"], log)
    return max(_BINARIES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3])).parent


@dataclass
class Postgres:
    """A server of its own on a loopback port; what it holds outlives `killed`."""

    bin: Path
    folder: Path
    port: int
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def url(self, database: str) -> str:
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def start(self) -> None:
        command = [
            str(self.bin / "postgres"),
            f"-D{self.folder / 'data'}",
            f"-p{self.port}",
            "-clisten_addresses=127.0.0.1",
            "-cunix_socket_directories=",
            "-cfsync=off",
            "-cfull_page_writes=off",
            "-cmax_connections=200",
            "-clog_line_prefix=%m [%p] %a ",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, user=_USER, group=_USER
            )
        wait_for("Postgres answers", self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        probe = [str(self.bin / "pg_isready"), "-q", "-h127.0.0.1", f"-p{self.port}", f"-U{_USER}"]
        return subprocess.run(probe, check=False).returncode == 0

    def stop(self) -> None:
        if self._process is not None:
            # SIGINT: a fast shutdown; sessions are disconnected.
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def kill(self) -> None:
        """Every process of the server at once, as when its machine loses power."""
        assert self._process is not None
        processes = self._frozen()
        for process in reversed(processes):
            os.kill(process, signal.SIGKILL)
        self._process.wait(30)
        self._process = None
        # Until then they hold the memory that a new server would share with them.
        wait_for(
            "all of its processes have ended", lambda: {*map(_state, processes)} <= {None, "Z"}
        )

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Connections break, and new ones are refused."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Connections stay, new ones are accepted by the kernel, and nothing answers."""
        processes = self._frozen()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(processes):
                os.kill(process, signal.SIGCONT)

    def _frozen(self) -> list[int]:
        """All processes. The postmaster is the first, and stopped: it starts and buries none."""
        assert self._process is not None
        server = self._process.pid
        os.kill(server, signal.SIGSTOP)
        wait_for("the postmaster is stopped", lambda: _state(server) == "T")
        children = Path(f"/proc/{server}/task/{server}/children").read_text()
        return [server, *map(int, children.split())]

    def create(self, database: str, template: str = _TEMPLATE) -> str:
        """A database with all tables, and nothing in them. Returns its URL."""
        self._run("createdb", f"-T{template}", database)
        return self.url(database)

    def drop(self, database: str) -> None:
        self._run("dropdb", "--force", database)

    def create_template(self) -> None:
        """By the program that migrates real databases."""
        self._run("createdb", _TEMPLATE)
        migrate(self.url(_TEMPLATE))

    def _run(self, program: str, *arguments: str) -> None:
        options = ["-h127.0.0.1", f"-p{self.port}", f"-U{_USER}"]
        subprocess.run([str(self.bin / program), *options, *arguments], check=True)


def _state(process: int) -> str | None:
    """R, S, T, Z …; None if it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def migrate(url: str) -> str:
    """Run `trainyard-api migrate`; its log."""
    program = str(Path(sys.executable).with_name("trainyard-api"))
    environment = {"PATH": os.environ["PATH"], "TRAINYARD_API_DATABASE_URL": url}
    ended = subprocess.run(
        [program, "migrate"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def postgres_server(log: Path) -> Iterator[Postgres]:
    """Start a server with the template; take it and its folder away again."""
    bin_folder = binaries(log)
    # Not below pytest's folder, which nobody but root may enter.
    folder = Path(tempfile.mkdtemp(prefix="trainyard-postgres-"))
    account = pwd.getpwnam(_USER)
    os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        (port,) = free_ports(1)
        initdb = [str(bin_folder / "initdb"), f"-D{folder / 'data'}", "-Atrust", "--no-sync"]
        initdb += [f"-U{_USER}", "-EUTF8", "--locale=C.UTF-8"]
        subprocess.run(
            initdb, check=True, user=_USER, group=_USER, cwd=folder, stdout=subprocess.DEVNULL
        )
        server = Postgres(bin_folder, folder, port)
        server.start()
        try:
            server.create_template()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
