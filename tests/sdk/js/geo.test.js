// Areas: events and objects for streams in both codecs, objects as a map, moved areas, fixes.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Server, sign } from "../server.mjs";
import { codecs, connected, Events, newSubscription, Proxy, subscribed, unique } from "./support.js";

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

const near = (lat, lng, radius_m) => ({ near: { lat, lng, radius_m } });
const set = (channel, key, lat, lng, more = {}) => server.api("geo_set", { channel, key, lat, lng, ...more });

for (const codec of codecs) {
  describe(codec.name, () => {
    const told = (events) => events.of("publication").map(({ data }) => codec.decode(data));
    const call = async (client, method, data) => codec.decode((await client.rpc(method, codec.encode(data))).data);

    test("an event reaches those whose area has its place", async (t) => {
      const channel = unique("alerts:");
      const { client } = await connected(t, codec, server.url);
      const { client: other } = await connected(t, codec, server.url);
      const here = await subscribed(client, channel, { data: codec.encode(near(52.52, 13.405, 1500)) });
      const there = await subscribed(other, `${channel}@near:48.85,2.35,1500`);
      for (const [n, lat, lng] of [[1, 52.52, 13.41], [2, 48.85, 2.351], [3, 52.521, 13.405]]) {
        await server.publish(channel, { lat, lng, n });
      }
      await here.events.until(() => here.events.of("publication").length === 2, "two events");
      await there.events.first("publication");
      assert.deepEqual(told(here.events).map(({ n }) => n), [1, 3]);
      assert.deepEqual(told(there.events).map(({ n }) => n), [2]);
    });

    test("a snapshot comes with the subscription, and then what enters, moves and leaves", async (t) => {
      const channel = unique("drivers:");
      await set(channel, "a", 52.52, 13.405, { data: { kind: "bike" } });
      const { client } = await connected(t, codec, server.url);
      const { events } = await subscribed(client, channel, { data: codec.encode(near(52.52, 13.405, 1500)) });
      const { objects } = codec.decode(events.of("subscribed")[0].data);
      assert.deepEqual(objects, [{ key: "a", lat: 52.52, lng: 13.405, data: { kind: "bike" } }]);
      await set(channel, "a", 52.521, 13.405);
      await set(channel, "b", 52.52, 13.4);
      await set(channel, "a", 53, 13);
      await events.until(() => events.of("publication").length === 3, "three changes");
      assert.deepEqual(
        told(events).map(({ event, key, reason }) => [event, key, reason]),
        [["move", "a", "moved"], ["enter", "b", "created"], ["exit", "a", "moved"]],
      );
    });

    test("a client moves itself, and the areas that follow it", async (t) => {
      const channel = unique("me:");
      const alerts = unique("alerts:");
      const user = unique("rider");
      const { client: watcher } = await connected(t, codec, server.url);
      const watching = await subscribed(watcher, channel, { data: codec.encode(near(52, 13, 5000)) });
      const { client } = await connected(t, codec, server.url, { token: sign({ sub: user }) });
      const { events } = await subscribed(client, alerts, { data: codec.encode({ follow: "me", radius_m: 500 }) });
      await call(client, "geo.position", { channel, lat: 52, lng: 13, speed_mps: 4 });
      await server.publish(alerts, { lat: 52.001, lng: 13, n: 1 });
      await call(client, "geo.position", { channel, lat: 52.01, lng: 13 });
      await server.publish(alerts, { lat: 52.001, lng: 13, n: 2 });
      await server.publish(alerts, { lat: 52.011, lng: 13, n: 3 });
      await events.until(() => events.of("publication").length === 2, "two events");
      assert.deepEqual(told(events).map(({ n }) => n), [1, 3]);
      await watching.events.until(() => watching.events.of("publication").length === 2, "two fixes");
      assert.deepEqual(told(watching.events).map(({ event, key }) => [event, key]), [["enter", user], ["move", user]]);
      const refusal = await client.publish(channel, codec.encode({ key: "other", lat: 1, lng: 2 })).catch((e) => e);
      assert.equal(refusal.code, 103);
    });

    test("a moved area answers with what it adds and removes, and outlives a lost connection", async (t) => {
      const channel = unique("drivers:");
      await set(channel, "a", 52, 13);
      await set(channel, "b", 53, 13);
      const proxy = await Proxy.start(t, new URL(server.url).port);
      const { client } = await connected(t, codec, proxy.url);
      const { events } = await subscribed(client, channel, { data: codec.encode(near(52, 13, 500)) });
      const moved = await call(client, "geo.move", { channel, area: near(53, 13, 500) });
      assert.deepEqual([moved.added, moved.removed], [["b"], ["a"]]);
      proxy.cut();
      await events.until(() => events.of("subscribed").length === 2, "a second subscribe");
      const { objects } = codec.decode(events.of("subscribed")[1].data);
      assert.deepEqual(objects.map(({ key }) => key), ["b"]);
    });

    test("an area that is wrong is refused with the name of its field", async (t) => {
      const { client } = await connected(t, codec, server.url);
      const data = codec.encode({ bbox: { west: 179, south: 0, east: 181, north: 1 } });
      const { sub, events } = newSubscription(client, unique("alerts:"), { data });
      sub.subscribe();
      const { code, reason } = await events.first("unsubscribed");
      assert.equal(code, 107);
      assert.match(reason, /bbox\.east/);
    });
  });
}

test("a map holds exactly what is in the area", async (t) => {
  const [codec] = codecs;
  const channel = unique("drivers:");
  for (let n = 0; n < 250; n += 1) await set(channel, `d${n}`, 52 + (n % 2), 13);
  const { client } = await connected(t, codec, server.url);
  const sub = client.newMapSubscription(channel, { data: near(52, 13, 500) });
  const events = new Events(sub, ["sync", "update", "subscribed", "error"]);
  sub.subscribe();
  const { entries } = await events.first("sync");
  assert.equal(entries.length, 125);
  assert.deepEqual(entries.find(({ key }) => key === "d0").data, { lat: 52, lng: 13 });
  await set(channel, "d0", 52.001, 13);
  await set(channel, "d2", 53, 13);
  await set(channel, "d1", 52, 13);
  await events.until(() => events.of("update").length === 3, "three updates");
  assert.deepEqual(events.of("update").map(({ key, removed }) => [key, removed ?? false]), [
    ["d0", false], ["d2", true], ["d1", false],
  ]);
});
