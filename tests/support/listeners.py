"""What the agency's own systems are in tests: an address that takes posts, and a mail server that speaks SMTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Posts:
    """What was posted, and what is answered: `status` is asked for each post with its body."""

    url: str = ""
    status: Callable[[bytes], int] = lambda _: 204
    got: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append(({name.lower(): text for name, text in request.headers.items()}, body))
        status = self.status(body)
        return web.Response(status=status, headers={"location": "/elsewhere"} if status == 302 else {})


@asynccontextmanager
async def listening() -> AsyncIterator[Posts]:
    """Run an HTTP server that notes what is posted."""
    posts = Posts()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_route("*", "/{rest:.*}", posts.take)
    server = TestServer(app)
    await server.start_server()
    posts.url = str(server.make_url("/hook"))
    try:
        yield posts
    finally:
        await server.close()


@dataclass
class Post:
    """A mail server on loopback (RFC 5321): what it was told, and the mails that it took."""

    port: int = 0
    refuse: bool = False
    told: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.told.append(line)
            word = line.upper().split(":")[0].split(" ")[0]
            if word == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append(await _until_dot(reader))
                writer.write(b"250 taken\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                refused = self.refuse and word == "RCPT"
                writer.write(b"451 not now\r\n" if refused else b"250 fine\r\n")
            await writer.drain()
        writer.close()


async def _until_dot(reader: asyncio.StreamReader) -> str:
    lines: list[str] = []
    while (line := (await reader.readline()).decode()) not in (".\r\n", ""):
        lines.append(line.removeprefix("."))
    return "".join(lines)


@asynccontextmanager
async def mail_server() -> AsyncIterator[Post]:
    """Run a mail server on loopback."""
    post = Post()
    server: Any = await asyncio.start_server(post.serve, "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        await server.wait_closed()
