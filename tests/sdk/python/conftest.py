import pytest

from server import Server
from support import Clients, Codec, Proxy


@pytest.fixture(params=["json", "protobuf"])
def codec(request):
    return Codec(request.param)


@pytest.fixture(scope="session")
async def server():
    node = await Server.start()
    yield node
    await node.stop()


@pytest.fixture
async def clients(codec, server):
    made = Clients(codec, server)
    yield made
    await made.close()


@pytest.fixture
async def proxy(server):
    made = await Proxy.start(server.port)
    yield made
    await made.close()
