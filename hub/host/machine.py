"""Checks of the machine: Python, disk, syncing, clock, permissions, ports, keys' days.

Each is a function of one question that tests can make fail. Not for: what only one program has (`hub/doctor.py`,
`connectors/kit/doctor.py`). User's page: `docs/how-to/run-a-hub.md`.
"""

import ctypes
import os
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from hub.host.findings import Finding, fail, fine, warn
from hub.protocol.directory import KeyEntry
from hub.protocol.keyring import DAY, Keyring, KeyUse, PrivateKey

OLDEST_PYTHON: Final = (3, 11)
DISK_FLOOR: Final = 1024 * 1024 * 1024  # bytes free below which a program should not be left alone
INODE_FLOOR: Final = 1_000
CLOCK_LIMIT: Final = 30  # seconds; proofs of sessions are refused beyond (protocol/09-directory.md section 6)
_CLOCK_WARN: Final = 5  # seconds
_STEP: Final = 2  # seconds by which wall clock and monotonic clock may part while we look
_KEY_WARN: Final = 30  # days
_FORGETFUL: Final = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})
_NETWORKED: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_TIMEX: Final = 512  # bytes; more than `struct timex` has anywhere
_MICROSECONDS: Final = 1_000_000


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Iterator[Finding]:
    """Check that this Python is new enough."""
    text = "Python {}.{}".format(*version)
    if version < OLDEST_PYTHON:
        yield fail("python", text, "Install Python {}.{} or newer.".format(*OLDEST_PYTHON))
    else:
        yield fine("python", text)


# --- disk ------------------------------------------------------------------------------------------------------------


def check_disk(folder: Path, statvfs: Callable[[Path], os.statvfs_result] = os.statvfs) -> Iterator[Finding]:
    """Check that the disk of a folder can be written, and has room and inodes."""
    disk = statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if disk.f_flag & os.ST_RDONLY:
        yield fail("disk", f"{folder} is read-only", "Mount it writable, or move the folder to a disk that is.")
    elif free < DISK_FLOOR:
        yield fail("disk", f"{_size(free)} free", f"Make room: at least {_size(DISK_FLOOR)} must be free.")
    elif disk.f_files and disk.f_favail < INODE_FLOOR:  # some file systems count none
        yield fail("disk", f"{disk.f_favail} files can still be made", "Delete what is not needed: inodes run out.")
    else:
        yield fine("disk", f"{_size(free)} free")


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB"


def kind_of_disk(folder: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that a folder lies on (Linux; elsewhere nothing)."""
    if mounts is None:
        table = Path("/proc/self/mounts")
        mounts = table.read_text("utf-8") if table.exists() else ""
    best, kind = -1, ""
    for line in mounts.splitlines():
        _, place, name, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        if folder.absolute().is_relative_to(place) and len(place) >= best:
            best, kind = len(place), name
    return kind


def check_sync(folder: Path, sync: Callable[[int], None] = os.fsync, kind: str | None = None) -> Iterator[Finding]:
    """Check that a file can be written and synced there, and that the disk is one that keeps what it is told."""
    probe = folder / f".valise-probe-{os.getpid()}"
    started = time.monotonic()
    try:
        with probe.open("xb") as file:
            file.write(bytes(4_096))
            file.flush()
            sync(file.fileno())
        probe.unlink()
    except OSError as error:
        probe.unlink(missing_ok=True)
        remedy = "Let this user write to the folder, on a disk that can sync: without it nothing is durable."
        yield fail("fsync", f"{folder}: {error.strerror}", remedy)
        return
    took = (time.monotonic() - started) * 1_000
    kind = kind_of_disk(folder) if kind is None else kind
    if kind in _FORGETFUL:
        yield warn("fsync", f"{folder} lies on {kind}", "Put it on a disk of the machine: this one forgets at restart.")
    elif kind in _NETWORKED:
        yield warn("fsync", f"{folder} lies on {kind}", "Put it on a local disk: locks and syncs of others may lie.")
    else:
        yield fine("fsync", f"a synced write takes {took:.1f} ms" + (f" on {kind}" if kind else ""))


# --- clock -----------------------------------------------------------------------------------------------------------


def check_clock(ours: int, theirs: int) -> Iterator[Finding]:
    """Compare our clock with the other side's, both in Unix seconds."""
    apart = ours - theirs
    text = f"{abs(apart)} s {'ahead of' if apart > 0 else 'behind'} the other side" if apart else "as the other side's"
    remedy = "Synchronise the clock (chrony or systemd-timesyncd): proofs of sessions are refused when it is off."
    if abs(apart) > CLOCK_LIMIT:
        yield fail("clock", text, remedy)
    elif abs(apart) > _CLOCK_WARN:
        yield warn("clock", text, remedy)
    else:
        yield fine("clock", text)


def check_steps(wall: float, monotonic: float) -> Iterator[Finding]:
    """Check that both clocks went equally far, in seconds, while we looked."""
    if abs(wall - monotonic) > _STEP:
        remedy = "Find out what sets the clock; it should be slewed, not stepped."
        yield fail("clock-step", f"the clock jumped by {wall - monotonic:+.0f} s while it was watched", remedy)
    else:
        yield fine("clock-step", "the clock runs evenly")


def ask_kernel() -> int | None:
    """Return the state that adjtimex(2) gives, or None where there is none (other than Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    return state


def check_synchronised(state: int | None) -> Iterator[Finding]:
    """Check that the kernel believes its clock; `state` is what adjtimex(2) returned."""
    if state is None or state < 0:
        yield warn("ntp", "nobody can say here whether the clock is synchronised", "Look at it with your own tools.")
    elif state == _TIME_ERROR:
        yield warn("ntp", "the clock is not synchronised", "Start chrony or systemd-timesyncd.")
    else:
        yield fine("ntp", "the clock is synchronised")


# --- files, ports and keys -------------------------------------------------------------------------------------------


def check_private(check: str, path: Path) -> Iterator[Finding]:
    """Check that a secret file is there and only its owner may read it."""
    state = path.stat()
    if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield fail(check, f"others may read {path.name}", f"chmod 600 {path}")
    elif not os.access(path, os.R_OK):
        yield fail(check, f"{path.name} belongs to somebody else", f"chown it to the user that runs us: {path}")
    else:
        yield fine(check, f"{path.name} is its owner's only")


def check_port(host: str, port: int, *, mine: bool) -> Iterator[Finding]:
    """Check that a port is free, or that our own program listens there (`mine`)."""
    if port == 0:
        yield fine("port", "any free port")
        return
    if mine:
        yield fine("port", f"this hub listens on port {port}")
        return
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        owner = holder_of(port)
        remedy = f"End {owner}, or set another port." if owner else "End what listens there, or set another port."
        yield fail("port", f"port {port} of {host}: {error.strerror}", remedy)
    else:
        yield fine("port", f"port {port} is free")


def holder_of(port: int) -> str:
    """Return `name (process id)` of what listens on a TCP port, as far as this user may know it (Linux)."""
    sockets = set(_listening(port))
    for process in Path("/proc").glob("[0-9]*"):
        if sockets & set(_files_of(process)):
            return f"{(process / 'comm').read_text('utf-8').strip()} (process {process.name})"
    return ""


def _files_of(process: Path) -> Iterator[str]:
    """Yield what a process has open; nothing where it is another user's, or has just ended."""
    with suppress(OSError):
        for one in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                yield str(one.readlink())


def _listening(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text("utf-8").splitlines()[1:] if table.exists() else ():
            _, local, _, state, *rest = line.split()
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:  # LISTEN
                yield f"socket:[{rest[5]}]"


def days_left(keys: Iterable[PrivateKey | KeyEntry], *, now: int) -> dict[KeyUse, float]:
    """Return for each use of some keys how many days the last of them is still valid; none or less: it ended."""
    ends: dict[KeyUse, int] = {}
    for key in keys:
        ends[key.use] = max(ends.get(key.use, key.exp), key.exp)
    return {use: (end - now) / DAY for use, end in ends.items()}


def check_keys(keyring: Keyring, *, now: int) -> Iterator[Finding]:
    """Check that there is a valid key of every use, and for how long."""
    for use, days in days_left(keyring.keys, now=now).items():
        text = f"the key to {use} is valid for {days:.0f} days"
        if days <= 0:
            yield fail("keys", f"the key to {use} ended", "Make a new one and have it enrolled: nothing works without.")
        elif days < min(_KEY_WARN, 7 if use == "open" else _KEY_WARN):  # opening keys live 30 days
            yield warn("keys", text, "Make a new one and have it enrolled before that.")
        else:
            yield fine("keys", text)
