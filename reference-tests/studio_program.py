"""The studio as a program under test: started on a free port, with a home of its own, and ended with Ctrl-C."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile

# What every request that changes something carries.
OWN = {"X-Gioconda": "studio"}


@contextlib.contextmanager
def studio(program: str):
    """Yields the address of a studio and its process; whatever it leaves in its temporary folder is an error."""
    with tempfile.TemporaryDirectory() as home:
        temporary = pathlib.Path(home, "temporary")
        temporary.mkdir()
        places = {name: home for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        environment = os.environ | places | {"TMPDIR": str(temporary)}
        process = subprocess.Popen(
            [program, "studio", "--listen", "127.0.0.1:0", "--no-open"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.send_signal(signal.SIGINT)
            ended = process.wait(timeout=30)
        left = sorted(path.name for path in temporary.iterdir())
        print("ended with", ended, "and left behind", left or "nothing")
        if ended != 0 or left:
            raise SystemExit(1)


def memory(process: subprocess.Popen) -> int:
    """Resident memory, megabytes (Linux)."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) // 1024
