"""The disk under SQLite, as a test needs it: every write, sync and truncation passes through here and may be recorded,
refused or answered with death.

The default VFS of the SQLite library that Python itself uses is patched in place (ctypes), so the store runs unchanged
and without any privilege. Reading and locking are untouched. For a process of its own: what is patched stays patched.
Sources: sqlite.org/c3ref/vfs.html and io_methods.html. Not for: what a power cut keeps (`power.py`).
"""

import _sqlite3
import ctypes
from collections.abc import Callable
from typing import Any, Final, Protocol

OK: Final = 0  # SQLite result codes, sqlite.org/rescode.html
READ_ONLY: Final = 8
FULL: Final = 13

_Pointer = ctypes.c_void_p


class _IoMethods(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        *((name, _Pointer) for name in ("close", "read", "write", "truncate", "sync", "size", "lock", "unlock")),
        *((name, _Pointer) for name in ("reserved", "control", "sector", "traits", "shm_map", "shm_lock")),
        *((name, _Pointer) for name in ("shm_barrier", "shm_unmap", "fetch", "unfetch")),
    )


class _File(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_IoMethods)),)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", _Pointer),
        ("name", ctypes.c_char_p),
        ("data", _Pointer),
        ("open", _Pointer),
        ("delete", _Pointer),
    )


# Names are handed on as the pointers that they are: the VFS keeps them, and reads what lies before and behind.
_OPEN: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, _Pointer, ctypes.c_int, _Pointer)
_DELETE: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int)
_WRITE: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int, ctypes.c_int64)
_TRUNCATE: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int64)
_SYNC: Final = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int)


class Disk(Protocol):
    """What a test puts under SQLite. `do` makes the real call; each method returns a SQLite result code."""

    def write(self, path: str, data: bytes, at: int, do: Callable[[], int]) -> int:
        """Bytes are written, not yet durable."""

    def truncate(self, path: str, size: int, do: Callable[[], int]) -> int:
        """A file is cut, or a deletion (`size` -1)."""

    def sync(self, path: str, do: Callable[[], int]) -> int:
        """What was written to a file must be durable when this returns."""


class Shim:
    """The patch. Keep it for as long as the process lives: SQLite holds pointers into it."""

    def __init__(self, disk: Disk) -> None:
        """Put `disk` under every file that SQLite opens from now on.

        Raises:
            OSError: this Python does not let its SQLite be reached (it is linked statically, without symbols).
        """
        self._disk: Final = disk
        self._paths: Final[dict[int, str]] = {}
        self._kept: Final[list[Any]] = []
        self._patched: Final[dict[int, Any]] = {}
        library = ctypes.CDLL(_sqlite3.__file__) if hasattr(_sqlite3, "__file__") else ctypes.CDLL(None)
        try:
            find = library.sqlite3_vfs_find
        except AttributeError as error:
            raise OSError("the SQLite of this Python cannot be reached") from error
        find.restype = ctypes.POINTER(_Vfs)
        vfs = find(None).contents
        self._open: Final = _OPEN(vfs.open)
        self._delete: Final = _DELETE(vfs.delete)
        vfs.open, vfs.delete = self._keep(_OPEN(self._on_open)), self._keep(_DELETE(self._on_delete))

    def _keep(self, callback: Any) -> int | None:
        self._kept.append(callback)
        return ctypes.cast(callback, _Pointer).value

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
        code: int = self._open(vfs, name, file, flags, out)
        opened = ctypes.cast(file, ctypes.POINTER(_File)).contents
        if code == OK and name is not None and opened.methods:
            self._paths[file] = ctypes.string_at(name).decode()
            opened.methods = self._methods(opened.methods)
        return code

    def _on_delete(self, vfs: int, name: int, sync: int) -> int:
        return self._disk.truncate(ctypes.string_at(name).decode(), -1, lambda: self._delete(vfs, name, sync))

    def _methods(self, given: Any) -> Any:
        """Return a copy of a table of methods with ours in it; there is one for each way of locking."""
        address = ctypes.addressof(given.contents)
        if address not in self._patched:
            copy = _IoMethods()
            ctypes.memmove(ctypes.byref(copy), given, ctypes.sizeof(copy))
            write, truncate, sync = _WRITE(copy.write), _TRUNCATE(copy.truncate), _SYNC(copy.sync)

            def on_write(file: int, data: int, size: int, at: int) -> int:
                written = ctypes.string_at(data, size)
                return self._disk.write(self._paths[file], written, at, lambda: write(file, data, size, at))

            def on_truncate(file: int, size: int) -> int:
                return self._disk.truncate(self._paths[file], size, lambda: truncate(file, size))

            def on_sync(file: int, flags: int) -> int:
                return self._disk.sync(self._paths[file], lambda: sync(file, flags))

            copy.write, copy.truncate = self._keep(_WRITE(on_write)), self._keep(_TRUNCATE(on_truncate))
            copy.sync = self._keep(_SYNC(on_sync))
            self._kept.extend((copy, write, truncate, sync))
            self._patched[address] = ctypes.pointer(copy)
        return self._patched[address]
