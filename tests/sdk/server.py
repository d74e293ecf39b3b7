"""A nearcast node for tests: starts the real binary on ports that the system chooses, calls its HTTP API, signs
tokens, and stops it again. A node that logs an error or panics fails the test that stops it."""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "tests/sdk/nearcast.toml"
BINARY = os.environ.get("NEARCAST_BIN", str(REPOSITORY / "target/release/nearcast"))
LONG = os.environ.get("NEARCAST_LONG") == "1"
SECRET = "a secret of the tests, 32 bytes or more"
API_KEY = "an api key of the tests"
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 40
LOG_LINES_MAX = 2_000
LOG_LINE_BYTES_MAX = 1 << 20


class ApiError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Server:
    @classmethod
    async def start(cls, env=None, http=None):
        """`env` overrides keys of nearcast.toml; `http` fixes the address so that clients can come back to it."""
        server = cls()
        server._log = collections.deque(maxlen=LOG_LINES_MAX)
        # One thread: calls are made in the order in which they were asked for.
        server._calls = ThreadPoolExecutor(max_workers=1)
        overrides = {"NEARCAST_LISTEN__HTTP": http} if http else {}
        server._process = await asyncio.create_subprocess_exec(
            BINARY, "serve", "--config", str(CONFIG), "--print-addresses",
            env={**os.environ, **(env or {}), **overrides},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LOG_LINE_BYTES_MAX,
        )
        addresses = asyncio.get_running_loop().create_future()
        server._readers = [
            asyncio.create_task(server._read(server._process.stdout, addresses)),
            asyncio.create_task(server._read(server._process.stderr, None)),
        ]
        try:
            found = await asyncio.wait_for(addresses, START_TIMEOUT_S)
        except Exception as error:
            server._process.kill()
            raise RuntimeError(f"no addresses ({error!r}):\n{server._tail()}") from error
        server.http = found["http"]
        server.admin = found["admin"]
        return server

    @property
    def url(self):
        return f"ws://{self.http}/connection/websocket"

    @property
    def port(self):
        return int(self.http.rsplit(":", 1)[1])

    async def api(self, method, **request):
        status, body = await self.api_raw(method, json.dumps(request))
        assert status == 200, f"{method} answered {status}: {body}"
        if "error" in body:
            raise ApiError(body["error"]["code"], body["error"]["message"])
        return body["result"]

    async def api_raw(self, method, text):
        return await asyncio.get_running_loop().run_in_executor(self._calls, self._post, method, text)

    async def publish(self, channel, data, **more):
        return await self.api("publish", channel=channel, data=data, **more)

    async def stop(self):
        """Drains the node and returns when the process is gone."""
        assert self._process.returncode is None, f"the node was already gone:\n{self._tail()}"
        self._process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT_S)
        except asyncio.TimeoutError:
            self._process.kill()
            raise AssertionError(f"the node did not drain in {STOP_TIMEOUT_S} s:\n{self._tail()}") from None
        await asyncio.gather(*self._readers)
        self._calls.shutdown()
        assert code == 0, f"a drained node exits with 0, not {code}:\n{self._tail()}"
        faults = [line for line in self._log if re.search(r"panicked|\bERROR\b", line)]
        assert not faults, faults

    def _post(self, method, text):
        request = urllib.request.Request(
            f"http://{self.http}/api/{method}",
            data=text.encode(),
            headers={"Content-Type": "application/json", "X-API-Key": API_KEY},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    async def _read(self, stream, addresses):
        while line := (await stream.readline()).decode(errors="replace").rstrip():
            self._log.append(line)
            if addresses and not addresses.done() and line.startswith("{") and '"http"' in line:
                addresses.set_result(json.loads(line))
        if addresses and not addresses.done():
            addresses.set_exception(RuntimeError("the node ended"))

    def _tail(self):
        return "\n".join(list(self._log)[-20:])


def sign(claims, key=SECRET):
    """A token signed with HS256. Without `exp` it does not expire."""

    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    text = ".".join(part(json.dumps(value).encode()) for value in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{part(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest())}"


def seconds_from_now(seconds):
    return int(time.time()) + seconds
