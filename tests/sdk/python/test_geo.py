"""Areas: events by place, objects with their snapshot, and what a wrong area is answered."""

from support import unique


def near(lat, lng, radius_m):
    return {"near": {"lat": lat, "lng": lng, "radius_m": radius_m}}


async def test_an_event_reaches_those_whose_area_has_its_place(clients, server, codec):
    client, _ = await clients.connected()
    channel = unique("alerts:")
    _, events = await clients.subscribed(client, channel, data=codec.encode(near(52.52, 13.405, 1500)))
    for n, (lat, lng) in enumerate([(52.52, 13.41), (48.85, 2.35), (52.521, 13.405)]):
        await server.publish(channel, {"lat": lat, "lng": lng, "n": n})
    await events.count("publication", 2)
    assert [value["n"] for value in clients.published(events)] == [0, 2]


async def test_objects_come_with_the_subscription_and_then_as_they_move(clients, server, codec):
    channel = unique("drivers:")

    async def put(key, lat, lng):
        await server.api("geo_set", channel=channel, key=key, lat=lat, lng=lng)

    await put("a", 52.52, 13.405)
    client, _ = await clients.connected()
    _, events = await clients.subscribed(client, channel, data=codec.encode(near(52.52, 13.405, 1500)))
    snapshot = codec.decode((await events.first("subscribed")).data)
    assert [one["key"] for one in snapshot["objects"]] == ["a"]
    await put("a", 52.521, 13.405)
    await put("a", 53, 13)
    await events.count("publication", 2)
    assert [(value["event"], value["key"]) for value in clients.published(events)] == [("move", "a"), ("exit", "a")]


async def test_queries_are_answered(clients, server, codec):
    channel = unique("drivers:")
    for key, lat in [("a", 52.01), ("b", 52.02), ("c", 52.03)]:
        await server.api("geo_set", channel=channel, key=key, lat=lat, lng=13)
    client, _ = await clients.connected()
    ask = {"channel": channel, "to": {"lat": 52, "lng": 13}, "k": 2}
    answer = codec.decode((await client.rpc("geo.nearest", codec.encode(ask))).data)
    assert [one["key"] for one in answer["objects"]] == ["a", "b"]
