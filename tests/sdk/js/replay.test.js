// Tracks, replayed through a node: what released clients with hundreds of areas receive is what a scan of all areas
// finds, nothing missing, nothing extra, in order. The large tracks lie beside the repository on some machines; the
// small one, over the antimeridian and the poles, is always there.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { after, before, describe, test } from "node:test";
import { long, Server } from "../server.mjs";
import { contains, distance } from "./sphere.js";
import { codecs, connected, eventually, Proxy, subscribed, unique } from "./support.js";

const [json] = codecs;
const repository = new URL("../../../", import.meta.url);
const tracks = [
  { name: "small", file: new URL("geo-data/tracks/small.csv", repository) },
  { name: "flights", file: new URL("../shared/data/flights/switzerland.csv.gz", repository) },
  { name: "ships", file: new URL("../shared/data/boats/suez_2021_ais.csv.gz", repository) },
];
const fixesMax = long ? 150_000 : 6_000;

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

/** Fixes in source order; of a long track every so many, so that all its movers are there. */
function read(file) {
  const bytes = readFileSync(file);
  const text = (file.pathname.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  const rows = text.trim().split("\n").slice(1).map((line) => line.split(","));
  const step = Math.max(1, Math.ceil(rows.length / fixesMax));
  return rows
    .filter((_, index) => index % step === 0)
    .map(([key, t, lat, lng]) => ({ key, time_ms: Math.round(Number(t) * 1000), lat: Number(lat), lng: Number(lng) }))
    .filter(({ lat, lng }) => Number.isFinite(lat) && Number.isFinite(lng));
}

/** Areas of every kind and size round places of the track. */
function areasOf(fixes, count) {
  return Array.from({ length: count }, (_, number) => {
    const { lat, lng } = fixes[(number * 7919) % fixes.length];
    const size = 10 ** (2.5 + (number % 13) * 0.3);
    const degrees = Math.min(size / 111_195, 5);
    switch (number % 4) {
      case 0:
      case 1:
        return { near: { lat, lng, radius_m: size } };
      case 2: {
        const wrap = (value) => (value > 180 ? value - 360 : value < -180 ? value + 360 : value);
        const [south, north] = [Math.max(lat - degrees, -90), Math.min(lat + degrees, 90)];
        return { bbox: { west: wrap(lng - degrees), south, east: wrap(lng + degrees), north } };
      }
      default: {
        const [x, y] = [Math.min(Math.max(lng, -170), 170), Math.min(Math.max(lat, -80), 80)];
        const ring = (share) => {
          const corners = Array.from({ length: 11 }, (_, corner) => {
            const turn = (corner / 11) * 2 * Math.PI;
            const far = degrees * share * (1 + 0.3 * Math.sin(3 * turn));
            return [x + far * Math.cos(turn), y + far * Math.sin(turn)];
          });
          return [...corners, corners[0]];
        };
        return { geometry: { type: "Polygon", coordinates: [ring(1), ring(0.4)] } };
      }
    }
  });
}

async function batch(method, bodies) {
  for (let at = 0; at < bodies.length; at += 500) {
    const commands = bodies.slice(at, at + 500).map((body) => ({ [method]: body }));
    const { body } = await server.apiRaw("batch", JSON.stringify({ commands }));
    assert.equal(body.replies.find((reply) => reply.error), undefined);
  }
}

/** The state of every object after each fix that counts, and what each area sees of it. */
function expectedOf(fixes, areas) {
  const [last, told] = [new Map(), areas.map(() => [])];
  for (const { key, time_ms, lat, lng } of fixes) {
    const old = last.get(key);
    if (old && time_ms <= old.time_ms) continue;
    last.set(key, { time_ms, lat, lng });
    areas.forEach((area, index) => {
      const [was, is] = [old !== undefined && contains(area, old), contains(area, { lat, lng })];
      if (was || is) told[index].push([was && is ? "move" : is ? "enter" : "exit", key, lat, lng]);
    });
  }
  return { told, last };
}

for (const { name, file } of tracks) {
  const missing = existsSync(file) ? false : `${name}: the track is not on this machine`;
  describe(name, { skip: missing }, () => {
    test("every view of objects is told what a scan finds", async (t) => {
      const fixes = read(file);
      const areas = areasOf(fixes, 320);
      const channel = unique("movers:");
      const views = [];
      let client;
      for (const [index, area] of areas.entries()) {
        if (index % 8 === 0) ({ client } = await connected(t, json, server.url));
        views.push(await subscribed(client, `${channel}@${index}`, { data: area }));
      }
      const to = fixes[Math.floor(fixes.length / 2)];
      const nearest = { nearest: 5, to: { lat: to.lat, lng: to.lng } };
      const ranked = await subscribed(client, `${channel}@nearest`, { data: nearest });
      const half = Math.floor(fixes.length / 2);
      const set = (some) => batch("geo_set", some.map((fix) => ({ channel, ...fix })));
      await set(fixes.slice(0, half));
      const late = await subscribed(client, `${channel}@late`, { data: areas[0] });
      await set(fixes.slice(half));

      const { told, last } = expectedOf(fixes, areas);
      let compared = 0;
      for (const [index, { events }] of views.entries()) {
        const count = told[index].length;
        await events.until(() => events.of("publication").length >= count, `${count} changes in ${index}`, 60_000);
        const got = events.of("publication").map(({ data }) => [data.event, data.key, data.lat, data.lng]);
        assert.deepEqual(got, told[index], `area ${index}: ${JSON.stringify(areas[index])}`);
        compared += count;
      }
      const held = new Map(late.events.of("subscribed")[0].data.objects.map((one) => [one.key, one]));
      late.events.of("publication").forEach(({ data }) => {
        if (data.event === "exit") assert.ok(held.delete(data.key));
        else held.set(data.key, data);
      });
      const inside = [...last].filter(([, place]) => contains(areas[0], place)).map(([key]) => key);
      assert.deepEqual([...held.keys()].sort(), inside.sort(), "a late view holds what is there");
      await eventually(() => {
        const kept = new Set();
        for (const { data } of ranked.events.of("publication")) {
          if (data.event === "exit") kept.delete(data.key);
          else kept.add(data.key);
        }
        const byDistance = [...last].sort(([, a], [, b]) => distance(a, to) - distance(b, to));
        const best = byDistance.slice(0, 5).map(([key]) => key);
        return JSON.stringify([...kept].sort()) === JSON.stringify(best.sort());
      }, "the nearest are those of a sort");
      t.diagnostic(`${name}: ${fixes.length} fixes of ${last.size} movers, ${views.length} areas, ${compared} changes compared`);
    });

    test("every event reaches exactly those whose area has it, and whoever comes back", async (t) => {
      const fixes = read(file);
      const areas = areasOf(fixes, 160);
      const channel = unique("tracks:");
      const proxy = await Proxy.start(t, new URL(server.url).port);
      const { client } = await connected(t, json, server.url);
      const { client: comesBack } = await connected(t, json, proxy.url);
      const { client: walker } = await connected(t, json, server.url);
      const views = [];
      for (const [index, area] of areas.entries()) {
        const who = index % 2 === 0 ? client : comesBack;
        views.push(await subscribed(who, `${channel}@${index}`, { data: area }));
      }
      const follow = await subscribed(walker, channel, { data: { follow: "me", radius_m: 50_000 } });
      const walked = [];
      for (let at = 0; at < fixes.length; at += 100) {
        const { lat, lng } = fixes[at];
        await walker.rpc("geo.position", { lat, lng });
        if (at % 1500 === 700) proxy.cut();
        const some = fixes.slice(at, at + 100).map((fix, index) => ({ ...fix, n: at + index }));
        walked.push(...some.filter((fix) => distance(fix, { lat, lng }) <= 50_000).map(({ n }) => n));
        await batch("publish", some.map(({ lat, lng, n }) => ({ channel, data: { lat, lng, n } })));
        // Nobody is to be cut off as slow: each reads what it has before there is more.
        const read = (one) => eventually(() => one.rpc("geo.zones", { lat, lng }).catch(() => undefined), "an answer");
        await Promise.all([client, comesBack].map(read));
      }
      let compared = 0;
      const check = async ({ events }, expected, what) => {
        await events.until(() => events.of("publication").length >= expected.length, `${expected.length} of ${what}`, 60_000);
        assert.deepEqual(events.of("publication").map(({ data }) => data.n), expected, what);
        compared += expected.length;
      };
      for (const [index, view] of views.entries()) {
        const expected = fixes.flatMap((fix, n) => (contains(areas[index], fix) ? [n] : []));
        await check(view, expected, `area ${index}: ${JSON.stringify(areas[index])}`);
        const again = view.events.of("subscribed").slice(1);
        assert.ok(again.every(({ wasRecovering, recovered }) => wasRecovering && recovered), "nothing was lost");
      }
      await check(follow, walked, "the area that follows");
      t.diagnostic(`${name}: ${fixes.length} events, ${views.length + 1} areas, ${compared} deliveries compared`);
    });
  });
}
