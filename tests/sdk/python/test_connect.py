"""Connecting: tokens and their refresh, anonymous users, pings, the node's goodbyes."""

import pytest
from server import Server, seconds_from_now, sign
from support import Clients, Proxy, code_of, eventually, unique


async def test_keeps_the_connection_while_short_lived_tokens_are_refreshed(clients):
    user = unique("user")
    asked = 0

    async def fresh_token():
        nonlocal asked
        asked += 1
        return sign({"sub": user, "exp": seconds_from_now(2)})

    _, events = await clients.connected(get_token=fresh_token)

    async def refreshed():
        return asked >= 4

    await eventually(refreshed, "the token refreshed three times")
    assert kept(events)


async def test_gets_a_new_token_when_the_one_it_has_is_expired(clients):
    user = unique("user")

    async def fresh_token():
        return sign({"sub": user, "exp": seconds_from_now(600)})

    token = sign({"sub": user, "exp": seconds_from_now(-60)})
    _, events = await clients.connected(token=token, get_token=fresh_token)
    assert [context.error.code for context in events.of("error")] == [109]


async def test_is_told_109_for_an_expired_token_and_gives_up_without_another(clients):
    _, events = await clients.start(token=sign({"sub": "u", "exp": seconds_from_now(-60)}))
    goodbye = await events.first("disconnected")
    assert events.of("error")[0].error.code == 109
    assert goodbye.code == 1, "unauthorized, as the SDK numbers it"


@pytest.mark.parametrize(
    "token",
    ["", "this is no token", sign({"sub": "u"}, "the key of somebody else, who is not us")],
    ids=["none", "garbage", "another key"],
)
async def test_is_disconnected_with_3500_for_a_bad_token(clients, token):
    _, events = await clients.start(token=token)
    assert (await events.first("disconnected")).code == 3500


async def test_hears_the_code_and_reason_with_which_the_api_disconnects_it(clients, server):
    user = unique("user")
    _, events = await clients.connected(token=sign({"sub": user}))
    await server.api("disconnect", user=user, disconnect={"code": 4501, "reason": "banned"})
    goodbye = await events.first("disconnected")
    assert (goodbye.code, goodbye.reason) == (4501, "banned")


async def test_reconnects_when_the_api_disconnects_it_with_a_code_below_3500(clients, server):
    user = unique("user")
    _, events = await clients.connected(token=sign({"sub": user}))
    await server.api("disconnect", user=user, disconnect={"code": 3011, "reason": "move on"})
    await events.count("connected", 2)
    assert events.of("connecting")[1].code == 3011


async def test_an_unknown_rpc_method_is_refused_with_108(clients, codec):
    client, _ = await clients.connected()
    assert await code_of(client.rpc("no.such.method", codec.encode({"a": 1}))) == 108


async def test_anonymous_users_connect_where_they_may_and_subscribe_where_anyone_may(codec):
    node = await Server.start(env={"NEARCAST_CLIENT__ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN": "true"})
    clients = Clients(codec, node)
    try:
        client, _ = await clients.connected(token="")
        await clients.subscribed(client, unique("anyone:"))
        _, refused = await clients.subscribing(client, unique("for_known_users"))
        assert (await refused.first("unsubscribed")).code == 103
    finally:
        await clients.close()
        await node.stop()


async def test_answers_pings_and_stays_connected(codec):
    node = await Server.start(
        env={"NEARCAST_CLIENT__PING_INTERVAL": "1s", "NEARCAST_CLIENT__PONG_TIMEOUT": "500ms"}
    )
    proxy = await Proxy.start(node.port)
    clients = Clients(codec, node)
    try:
        _, events = await clients.connected(proxy.url)
        before = proxy.chunks_up

        async def ponged():
            return proxy.chunks_up >= before + 4

        await eventually(ponged, "four pongs")
        assert kept(events)
    finally:
        await clients.close()
        await proxy.close()
        await node.stop()


def kept(events):
    """Whether the first connection still stands and nothing went wrong."""
    kinds = [kind for kind, _ in events.list]
    return kinds.count("connecting") == kinds.count("connected") == 1 and "error" not in kinds
