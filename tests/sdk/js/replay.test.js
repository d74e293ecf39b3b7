// Real tracks through a running node, while hundreds of subscriptions hold areas: each is told exactly what a
// comparison of every fix with every area says, in order.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { long, Server } from "../server.mjs";
import { replayEvents } from "./replay/events.js";
import { replayObjects } from "./replay/objects.js";
import * as tracks from "./replay/tracks.js";
import { place } from "./replay/sphere.js";
import { codecs, connected, seeded, subscribed, unique } from "./support.js";

const sets = [
  { name: "made-up movers over the antimeridian and both poles", read: tracks.small, reach: 300_000, isHard: true },
  {
    name: "aircraft over Switzerland", reach: 80_000, isShared: true,
    read: () => tracks.merged("flights/switzerland.csv.gz", long ? Infinity : 12),
  },
  {
    name: "ships at Suez", reach: 60_000, isShared: true,
    read: () => tracks.merged("boats/suez_2021_ais.csv.gz", long ? Infinity : 30),
  },
  {
    name: "trams and buses of Brussels", reach: 8_000, isShared: true,
    read: () =>
      tracks.timetable(
        "gtfs/mobilitydb_workshop_gtfs.zip",
        long ? { trips: Infinity, positions: Infinity, everyS: 60 } : { trips: 250, positions: 30, everyS: 20 },
      ),
  },
];

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

for (const set of sets) {
  const skip = set.isShared && !tracks.hasShared ? "the tracks are not there: no ../shared/data" : false;
  describe(set.name, { skip }, () => {
    let track;
    before(() => {
      const { fixes, whole } = set.read();
      track = { ...set, fixes, whole, places: fixes.map(({ lat, lng }) => place(lat, lng)) };
    });
    test("objects enter, move and exit", (t) => replayObjects(t, server, { ...track, random: seeded(t) }));
    test("events reach their areas", (t) => replayEvents(t, server, { ...track, random: seeded(t) }));
  });
}

test("an old view of the nearest and a late one agree on objects at the same distance", async (t) => {
  const channel = unique("fleet:");
  const set = (key, lat) => server.api("geo_set", { channel, key, lat, lng: 13 });
  for (const [key, lat] of [["a", 52.001], ["c", 52.002], ["d", 52.002], ["b", 52.0005]]) await set(key, lat);
  const data = { nearest: 3, to: { lat: 52, lng: 13 } };
  const { client } = await connected(t, codecs[0], server.url);
  const old = await subscribed(client, `${channel}@old`, { data });
  await set("b", 52.002);
  await old.events.first("publication");
  const late = await subscribed(client, `${channel}@late`, { data });
  const seen = new Set(old.events.of("subscribed")[0].data.objects.map(({ key }) => key));
  for (const { data: told } of old.events.of("publication")) seen[told.event === "exit" ? "delete" : "add"](told.key);
  const snapshot = late.events.of("subscribed")[0].data.objects.map(({ key }) => key);
  assert.deepEqual([...seen].sort(), snapshot.sort());
});
