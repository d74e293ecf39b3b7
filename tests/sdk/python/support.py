"""What the Python tests share: one view of the two codecs, a record of events to wait on, and a TCP proxy that breaks
connections."""

import asyncio
import contextlib
import itertools
import json
import os
import time
from dataclasses import dataclass

import centrifuge
from server import sign

DEADLINE_S = 15
_names = itertools.count(1)


def unique(prefix):
    """A channel or user that no other test uses."""
    return f"{prefix}{os.getpid()}_{next(_names)}"


@dataclass(frozen=True)
class Codec:
    """Payloads are JSON values in tests; over Protobuf they travel as bytes."""

    name: str

    @property
    def protobuf(self):
        return self.name == "protobuf"

    def encode(self, value):
        return json.dumps(value).encode() if self.protobuf else value

    def decode(self, data):
        return json.loads(data) if self.protobuf and data is not None else data


class Events:
    """Calls of an SDK's event handler, in the order in which they came: `(kind, context)`."""

    def __init__(self):
        self.list = []
        self._changed = asyncio.Condition()

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)

        async def record(context):
            self.list.append((name[3:], context))
            async with self._changed:
                self._changed.notify_all()

        return record

    def of(self, kind):
        return [context for each, context in self.list if each == kind]

    async def first(self, kind, accept=lambda context: True):
        """The first event of a kind for which `accept` holds, past or future."""
        await self.until(lambda: any(map(accept, self.of(kind))), f'an event "{kind}"')
        return next(filter(accept, self.of(kind)))

    async def until(self, condition, what):
        try:
            async with self._changed:
                await asyncio.wait_for(self._changed.wait_for(condition), DEADLINE_S)
        except asyncio.TimeoutError:
            seen = [str(event)[:300] for event in self.list[-20:]]
            raise AssertionError(f"no {what} in {DEADLINE_S} s; events: {seen}") from None

    async def count(self, kind, count):
        await self.until(lambda: len(self.of(kind)) >= count, f"{count} events {kind}")


class Clients:
    """Makes clients that are closed when the test ends."""

    def __init__(self, codec, server):
        self.codec = codec
        self.server = server
        self._made = []

    async def start(self, url=None, **options):
        options = {"min_reconnect_delay": 0.02, "max_reconnect_delay": 0.2, "proxy": None, **options}
        if "token" not in options and "get_token" not in options:
            options["token"] = sign({"sub": unique("user")})
        events = Events()
        client = centrifuge.Client(
            url or self.server.url, events=events, use_protobuf=self.codec.protobuf, **options
        )
        self._made.append(client)
        await client.connect()
        return client, events

    async def connected(self, url=None, **options):
        client, events = await self.start(url, **options)
        await events.first("connected")
        return client, events

    async def subscribing(self, client, channel, **options):
        events = Events()
        options = {"min_resubscribe_delay": 0.02, "max_resubscribe_delay": 0.2, **options}
        sub = client.new_subscription(channel, events=events, **options)
        await sub.subscribe()
        return sub, events

    async def subscribed(self, client, channel, **options):
        sub, events = await self.subscribing(client, channel, **options)
        await events.first("subscribed")
        return sub, events

    def published(self, events):
        return [self.codec.decode(context.pub.data) for context in events.of("publication")]

    async def close(self):
        for client in self._made:
            await client.disconnect()


async def code_of(call):
    """The code with which a call is refused."""
    try:
        await call
    except centrifuge.CentrifugeError as error:
        return error.code
    raise AssertionError("expected a refusal")


async def eventually(probe, what):
    """Polls what cannot be waited on, such as another process."""
    end = time.monotonic() + DEADLINE_S
    while not await probe():
        assert time.monotonic() < end, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.02)


class Proxy:
    """A TCP proxy in front of a node, to cut and refuse connections. `chunks_up` counts what clients send."""

    @classmethod
    async def start(cls, port):
        proxy = cls()
        proxy.refusing = False
        proxy.chunks_up = 0
        proxy._target = port
        proxy._writers = set()
        proxy._bytes_left = None
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        return proxy

    @property
    def url(self):
        port = self._server.sockets[0].getsockname()[1]
        return f"ws://127.0.0.1:{port}/connection/websocket"

    def cut(self):
        self._bytes_left = None
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def cut_after(self, count):
        """Cuts after the node has sent so many more bytes: in the middle of a frame as often as not."""
        self._bytes_left = count

    async def close(self):
        self.cut()
        self._server.close()

    async def _accept(self, near_reader, near):
        if self.refusing:
            near.transport.abort()
            return
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            near.transport.abort()
            return
        self._writers |= {near, far}
        up = asyncio.create_task(self._pass(near_reader, far, limited=False))
        await self._pass(far_reader, near, limited=True)
        await up
        self._writers -= {near, far}

    async def _pass(self, reader, writer, limited):
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                self.chunks_up += not limited
                if limited and self._bytes_left is not None:
                    chunk = chunk[: self._bytes_left]
                    self._bytes_left -= len(chunk)
                writer.write(chunk)
                await writer.drain()
                if limited and self._bytes_left == 0:
                    self.cut()
        writer.transport.abort()
