"""Subscriptions: publications of all shapes, presence, joins, history, tokens, the server's own, refusals."""

import json

import pytest
from centrifuge import StreamPosition
from server import seconds_from_now, sign
from support import code_of, eventually, unique

VALUES = {
    "object": {"text": "hello", "list": [1, 2.5, -3e10, None, True, False], "deep": {"er": {}}},
    "unicode": {"text": 'é€😀 \u2028\u2029 "\\/\n\t עברית العربية 中文', "ключ": "значение"},
    "string": "just text",
    "60 KB": {"text": "x" * 60 * 1024},
    "60 KB of emoji": {"text": "😀" * 15 * 1024},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
async def test_receives_what_the_api_published(clients, server, value):
    client, _ = await clients.connected()
    channel = unique("news")
    _, events = await clients.subscribed(client, channel)
    await server.publish(channel, value, tags={"kind": "storm"})
    received = await events.first("publication")
    assert clients.published(events) == [value]
    assert received.pub.tags == {"kind": "storm"}


async def test_receives_json_intact_that_was_published_with_line_breaks_in_it(clients, server):
    client, _ = await clients.connected()
    channel = unique("news")
    _, events = await clients.subscribed(client, channel)
    value = {"lines": ["a\nb", "\r\n"], "nested": {"a": [1, {"b": 2}]}}
    await server.api_raw("publish", json.dumps({"channel": channel, "data": value}, indent=2))
    await events.count("publication", 1)
    assert clients.published(events) == [value]


async def test_publishes_and_everyone_hears_who_it_was(clients, codec):
    user = unique("user")
    publisher, publisher_events = await clients.connected(token=sign({"sub": user, "info": {"name": "Ada"}}))
    listener, _ = await clients.connected()
    channel = unique("room:")
    sub, mine = await clients.subscribed(publisher, channel)
    _, theirs = await clients.subscribed(listener, channel)
    value = {"text": "x" * 60 * 1024}
    await sub.publish(codec.encode(value))
    for events in (mine, theirs):
        received = await events.first("publication")
        assert clients.published(events) == [value]
        assert received.pub.info.user == user
        assert received.pub.info.client == publisher_events.of("connected")[0].client
        assert codec.decode(received.pub.info.conn_info) == {"name": "Ada"}


async def test_sees_who_is_present(clients, codec):
    user = unique("user")
    channel = unique("room:")
    token = sign({"sub": user, "info": {"name": "Ada"}})
    one, one_events = await clients.connected(token=token)
    two, two_events = await clients.connected(token=token)
    channel_token = sign({"sub": user, "channel": channel, "info": {"role": "host"}})
    sub, _ = await clients.subscribed(one, channel, token=channel_token)
    other, _ = await clients.subscribed(two, channel)
    one_id, two_id = (events.of("connected")[0].client for events in (one_events, two_events))
    present = (await sub.presence()).clients
    assert set(present) == {one_id, two_id}
    assert (present[one_id].user, present[one_id].client) == (user, one_id)
    assert codec.decode(present[one_id].conn_info) == {"name": "Ada"}
    assert codec.decode(present[one_id].chan_info) == {"role": "host"}
    stats = await sub.presence_stats()
    assert (stats.num_clients, stats.num_users) == (2, 1)
    await other.unsubscribe()

    async def one_left():
        return (await sub.presence_stats()).num_clients == 1

    await eventually(one_left, "one client left")


@pytest.mark.parametrize("way", ["unsubscribe", "disconnect"])
async def test_hears_others_join_and_leave(clients, way):
    channel = unique("room:")
    client, _ = await clients.connected()
    _, events = await clients.subscribed(client, channel)
    user = unique("guest")
    guest, _ = await clients.connected(token=sign({"sub": user}))
    sub, _ = await clients.subscribed(guest, channel)

    def is_guest(context):
        return context.info.user == user

    await events.first("join", is_guest)
    assert not any(map(is_guest, events.of("leave")))
    await (sub.unsubscribe() if way == "unsubscribe" else guest.disconnect())
    await events.first("leave", is_guest)


async def test_reads_history_from_every_side(clients, server, codec):
    channel = unique("stream:")
    for n in range(1, 11):
        await server.publish(channel, {"n": n})
    client, _ = await clients.connected()
    sub, events = await clients.subscribed(client, channel)
    epoch = events.of("subscribed")[0].stream_position.epoch

    async def read(since=None, **options):
        position = StreamPosition(offset=since, epoch=epoch) if since else None
        history = await sub.history(since=position, **options)
        assert (history.offset, history.epoch) == (10, epoch)
        assert all(codec.decode(pub.data)["n"] == pub.offset for pub in history.publications)
        return [pub.offset for pub in history.publications]

    assert await read() == []
    assert await read(limit=3) == [1, 2, 3]
    assert await read(limit=-1) == list(range(1, 11))
    assert await read(limit=3, since=4) == [5, 6, 7]
    assert await read(limit=3, reverse=True) == [10, 9, 8]
    assert await read(limit=-1, since=4, reverse=True) == [3, 2, 1]
    lost = StreamPosition(offset=4, epoch="another")
    assert await code_of(sub.history(limit=1, since=lost)) == 112


async def test_subscribes_with_a_token_where_nothing_else_is_allowed_and_refreshes_it(clients, server):
    user = unique("user")
    channel = unique("closed:")
    client, _ = await clients.connected(token=sign({"sub": user}))
    asked = []

    async def fresh_token(for_channel):
        asked.append(for_channel)
        return sign({"sub": user, "channel": channel, "exp": seconds_from_now(2)})

    _, events = await clients.subscribed(client, channel, get_token=fresh_token)

    async def refreshed():
        return len(asked) >= 4

    await eventually(refreshed, "the subscription refreshed three times")
    await server.publish(channel, "still here")
    await events.first("publication")
    assert [kind for kind, _ in events.list] == ["subscribing", "subscribed", "publication"]


async def test_gets_a_new_subscription_token_when_the_one_it_has_is_expired(clients):
    user = unique("user")
    channel = unique("closed:")
    client, _ = await clients.connected(token=sign({"sub": user}))

    async def fresh_token(_):
        return sign({"sub": user, "channel": channel, "exp": seconds_from_now(600)})

    expired = sign({"sub": user, "channel": channel, "exp": seconds_from_now(-60)})
    _, events = await clients.subscribed(client, channel, token=expired, get_token=fresh_token)
    assert [context.error.code for context in events.of("error")] == [109]


@pytest.mark.parametrize(
    ("channel", "token", "code"),
    [
        ("nowhere:x", "", 102),
        ("closed:x", "", 103),
        ("closed:x", sign({"sub": "u", "channel": "closed:x"}, "another key"), 103),
        ("x" * 256, "", 107),
        ("zürich", "", 107),
    ],
    ids=["unknown namespace", "no token", "token of another key", "256 bytes", "beyond ASCII"],
)
async def test_is_refused_with_the_code_that_says_why(clients, channel, token, code):
    client, connection = await clients.connected(token=sign({"sub": "u"}))
    _, events = await clients.subscribing(client, channel, token=token)
    assert (await events.first("unsubscribed")).code == code
    assert len(connection.of("connecting")) == 1


async def test_is_disconnected_with_3500_for_a_subscription_token_of_another_user(clients):
    client, events = await clients.connected(token=sign({"sub": "u"}))
    await clients.subscribing(client, "closed:x", token=sign({"sub": "not u", "channel": "closed:x"}))
    assert (await events.first("disconnected")).code == 3500


async def test_calls_are_refused_with_the_code_that_says_why(clients, codec):
    client, _ = await clients.connected()
    sub, _ = await clients.subscribed(client, unique("news"))
    assert await code_of(sub.publish(codec.encode({}))) == 103
    assert await code_of(sub.presence()) == 108
    assert await code_of(sub.history(limit=1)) == 108
    assert await code_of(client.presence("nowhere:x")) == 102
    assert await code_of(client.presence(unique("room:"))) == 103


async def test_holds_128_subscriptions_and_is_refused_the_next_with_106(clients, server):
    client, connection = await clients.connected()
    held = [await clients.subscribed(client, unique("news")) for _ in range(128)]
    _, last = await clients.subscribing(client, unique("news"))
    assert (await last.first("unsubscribed")).code == 106
    await server.api("broadcast", channels=[sub.channel for sub, _ in held], data="to all")
    for _, events in held:
        await events.first("publication")
    assert len(connection.of("connecting")) == 1


async def test_is_subscribed_by_its_token_by_the_api_and_to_its_own_channel(clients, server, codec):
    user = unique("user")
    by_token, by_api, own = unique("news"), unique("stream:"), f"#{user}"
    claims = {"sub": user, "subs": {by_token: {"data": {"welcome": True}}}}
    _, events = await clients.connected(token=sign(claims))

    def on(channel):
        return lambda context: context.channel == channel

    assert codec.decode((await events.first("subscribed", on(by_token))).data) == {"welcome": True}
    await server.api("subscribe", user=user, channel=by_api)
    await events.first("subscribed", on(by_api))
    for channel in (by_token, by_api, own):
        await server.publish(channel, {"to": channel})
        received = await events.first("publication", on(channel))
        assert codec.decode(received.pub.data) == {"to": channel}
    await server.api("unsubscribe", user=user, channel=by_api)
    await events.first("unsubscribed", on(by_api))


async def test_20_clients_hear_the_same_40_publications_in_the_same_order(clients, server):
    channel = unique("room:")
    heard = []
    for _ in range(20):
        client, _ = await clients.connected()
        heard.append((await clients.subscribed(client, channel))[1])
    expected = [{"n": n} for n in range(40)]
    for value in expected:
        await server.publish(channel, value)
    for events in heard:
        await events.count("publication", 40)
        assert clients.published(events) == expected
