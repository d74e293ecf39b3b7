"""Recovery: what a client that loses its connection at any byte gets when it is back."""

import os
import random

from server import LONG, Server
from support import Clients, unique

COUNT = 10_000 if LONG else 1_000
CUTS = 200 if LONG else 20
HASTY = {"min_reconnect_delay": 0.001, "max_reconnect_delay": 0.02}


def seeded():
    """Repeatable randomness: pytest shows the seed of a test that fails, NEARCAST_SEED repeats a run."""
    seed = int(os.environ.get("NEARCAST_SEED", random.randrange(2**31)))
    print(f"NEARCAST_SEED={seed}")
    return random.Random(seed)


def audit(codec, events):
    """Walks all that the subscription saw: each publication is the one after the last, unless the SDK was told
    `recovered: false` and a new position before it. Returns the last offset and how often each of the two happened."""
    last, recovered, lost = 0, 0, 0
    for kind, context in events.list:
        if kind == "subscribed":
            assert context.recoverable
            if context.was_recovering and context.recovered:
                recovered += 1
                continue
            top = context.stream_position.offset
            assert top >= last, f"a stream does not run backwards: {top} after {last}"
            if context.was_recovering:
                lost += 1
                assert top > last, f"nothing was missed at {last}, so it is recovered"
            last = top
        elif kind == "publication":
            assert context.pub.offset == last + 1, f"offset {context.pub.offset} after {last}"
            assert codec.decode(context.pub.data)["n"] == context.pub.offset
            last += 1
    return last, recovered, lost


async def test_misses_none_of_many_publications_over_broken_connections(clients, server, codec, proxy):
    rng = seeded()
    channel = unique("stream:")
    client, connection = await clients.connected(proxy.url, **HASTY)
    _, events = await clients.subscribed(client, channel)
    for n in range(1, COUNT + 1):
        await server.publish(channel, {"n": n, "text": "x" * rng.randrange(300)})
        if n % (COUNT // CUTS):
            continue
        if rng.randrange(2):
            before = len(connection.of("connected"))
            proxy.cut()
            await connection.count("connected", before + 1)
        else:
            proxy.cut_after(1 + rng.randrange(2_000))  # the client comes back while more is published
    proxy.cut_after(None)
    await events.until(lambda: audit(codec, events)[0] == COUNT, f"publication {COUNT}")
    _, recovered, lost = audit(codec, events)
    assert lost == 0
    assert len(events.of("publication")) == COUNT
    assert recovered >= CUTS / 4, f"only {recovered} connections were cut"


async def test_says_so_before_the_next_publication_when_history_no_longer_reaches_back(
    clients, server, codec, proxy
):
    rng = seeded()
    channel = unique("short:")
    client, _ = await clients.connected(proxy.url, **HASTY)
    _, events = await clients.subscribed(client, channel)
    n = 0

    async def publish(times):
        nonlocal n
        for _ in range(times):
            n += 1
            await server.publish(channel, {"n": n})

    async def caught_up():
        await events.until(lambda: audit(codec, events)[0] == n, f"publication {n}")

    for turn in range(CUTS):
        await publish(1 + rng.randrange(40))
        await caught_up()
        lost_before, subscribed_before = len(events.of("subscribing")), len(events.of("subscribed"))
        proxy.refusing = True
        proxy.cut()
        await events.count("subscribing", lost_before + 1)
        # History holds 10: up to 10 missed are recovered, more are not.
        missed = rng.randrange(11) if turn % 2 == 0 else 11 + rng.randrange(30)
        await publish(missed)
        proxy.refusing = False
        if rng.randrange(2):
            await events.count("subscribed", subscribed_before + 1)
            assert events.of("subscribed")[-1].recovered == (missed <= 10), f"missed {missed}"
    await publish(1)
    await caught_up()
    _, recovered, lost = audit(codec, events)
    assert recovered > 0 and lost > 0, f"recovered {recovered}, lost {lost}"


async def test_is_told_that_nothing_is_recovered_by_a_node_that_restarted(codec):
    node = await Server.start()
    clients = Clients(codec, node)
    try:
        channel = unique("stream:")
        client, connection = await clients.connected()
        _, events = await clients.subscribed(client, channel)
        await node.publish(channel, {"n": 1})
        await node.publish(channel, {"n": 2})
        await events.count("publication", 2)

        await node.stop()
        await connection.count("connecting", 2)
        assert connection.of("connecting")[1].code == 3001
        node = await Server.start(http=node.http)
        await events.count("subscribed", 2)
        await node.publish(channel, {"n": 3})
        await events.count("publication", 3)

        first, second = events.of("subscribed")
        assert first.stream_position.epoch != second.stream_position.epoch
        assert (second.was_recovering, second.recovered) == (True, False)
        assert [kind for kind, _ in events.list][-2:] == ["subscribed", "publication"]
        assert events.of("publication")[2].pub.offset == 1, "a new stream starts at 1"
    finally:
        await clients.close()
        await node.stop()
