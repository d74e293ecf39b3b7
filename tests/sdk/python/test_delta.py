"""Fossil deltas: the SDK decodes what the node encodes."""

import pytest
from centrifuge import DeltaType
from support import unique


@pytest.mark.parametrize("prefix", ["document:", "sketch:"])
async def test_decodes_deltas(clients, server, prefix):
    client, _ = await clients.connected()
    channel = unique(prefix)
    _, events = await clients.subscribed(client, channel, delta=DeltaType.FOSSIL)
    lines = [{"line": line, "state": ["taxi", "автобус →", "😀"][line % 3]} for line in range(20)]
    sent = []
    for n in range(60):
        lines[n % 20] = {"line": n, "state": "京都 𝄞" if n % 2 else "taxi"}
        if n % 7 == 0:
            lines = lines[5:] + lines[:5]
        sent.append({"n": n, "lines": list(lines)})
        more = {"delta": True} if prefix == "document:" and n % 5 else {}
        await server.publish(channel, sent[-1], **more)
    await events.count("publication", len(sent))
    assert clients.published(events) == sent
    deltas = sum(context.pub.delta for context in events.of("publication"))
    assert deltas == (48 if prefix == "document:" else 59)
