// In a namespace that makes places coarse nobody learns more of a place than its cell: whatever is asked, moved and
// delivered, two true places within one cell give the same bytes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { long, Server, sign } from "../server.mjs";
import { distanceM, place, travel } from "./replay/sphere.js";
import { settled } from "./replay/crowd.js";
import { codecs, connected, seeded, subscribed } from "./support.js";

const [codec] = codecs;
const fleet = "coarsefleet:hunt";
const events = "coarse:hunt";
const probes = "alerts:hunt";
const queries = long ? 20_000 : 3_000;

// One node for each truth, so that everything but the truth has the same names.
const servers = [];
before(async () => servers.push(...(await Promise.all([1, 2, 3].map(() => Server.start())))));
after(() => Promise.all(servers.map((server) => server.stop())));

test("a hidden place cannot be told from another in its cell by any sequence of questions", async (t) => {
  const random = seeded(t);
  const { center, one, other, beyond } = await places(servers[0], random);
  t.diagnostic(`${Math.round(distanceM(one[0], other[0]))} m apart, cell at ${center.lat}, ${center.lng}`);
  const script = questions(center, random);
  const answers = await Promise.all([one, other, beyond].map((truth, n) => hunt(t, servers[n], truth, script, center)));
  assert.ok(answers[0].length > queries, `${answers[0].length} answers`);
  t.diagnostic(`${answers[0].length} answers and deliveries compared`);
  answers[0].forEach((answer, n) => assert.equal(answer, answers[1][n], `answer ${n} tells one place from the other`));
  assert.equal(answers[1].length, answers[0].length);
  // Another cell is told: the questions are good for something.
  const differing = answers[0].filter((answer, n) => answer !== answers[2][n]).length;
  assert.ok(differing > answers[0].length / 20, `only ${differing} answers differ for another cell`);
});

/** Two ways of a few places through one cell that are far from one another, and one way through the next cell. */
async function places(server, random) {
  const start = place(52.5163, 13.3777);
  const cellOf = async ({ lat, lng }) => {
    await server.api("geo_set", { channel: "coarsefleet:cells", key: "probe", lat, lng });
    const { objects } = await server.api("geo_nearest", { channel: "coarsefleet:cells", to: { lat, lng }, k: 1 });
    return place(objects[0].lat, objects[0].lng);
  };
  const center = await cellOf(start);
  const found = { in: [], out: [] };
  for (let tries = 0; tries < 200; tries += 1) {
    const at = travel(center, 300 + random.below(2_500), random.below(360));
    const cell = await cellOf(at);
    const isIn = cell.lat === center.lat && cell.lng === center.lng;
    found[isIn ? "in" : "out"].push(at);
  }
  const [first] = found.in;
  const far = found.in.sort((a, b) => distanceM(first, b) - distanceM(first, a));
  const one = far.slice(-4);
  const two = far.slice(0, 4);
  assert.ok(found.in.length >= 8 && distanceM(one[3], two[0]) > 800, "two places far apart in one cell");
  const beyond = await Promise.all(found.out.slice(0, 1).map(cellOf));
  return { center, one, other: two, beyond: Array.from({ length: 4 }, () => beyond[0]) };
}

/** Circles, boxes and places whose edges sweep over the cell from all sides. */
function questions(center, random) {
  const real = (low, high) => low + ((high - low) * random.below(1 << 30)) / (1 << 30);
  return Array.from({ length: queries }, (_, n) => {
    const distance = real(0, n % 2 === 0 ? 4_000 : 40_000);
    const at = travel(center, distance, real(0, 360));
    const to = { lat: at.lat, lng: at.lng };
    const near = { near: { ...to, radius_m: Math.max(1, distance + real(-2_000, 2_000)) } };
    const side = (a, b) => [Math.min(a, b), Math.max(a, b)];
    const [south, north] = side(center.lat + real(-0.02, 0.02), at.lat);
    const [west, east] = side(center.lng + real(-0.03, 0.03), at.lng);
    return [
      ["geo.nearby", { channel: fleet, area: near, limit: 10 }],
      ["geo.nearest", { channel: fleet, to, k: 1 + (n % 3), ...(n % 8 === 1 ? { within_m: near.near.radius_m } : {}) }],
      ["geo.move", { channel: `${fleet}@moved`, area: near }],
      ["geo.nearby", { channel: fleet, area: { bbox: { west, south, east, north } } }],
    ][n % 4];
  });
}

/** Everything that an attacker hears of somebody who is where `truth` says, one place after the other. */
async function hunt(t, server, truth, script, center) {
  const heard = [];
  const wire = recorder(heard);
  const { client, events: connection } = await connected(t, codec, server.url, { websocket: wire, token: sign({ sub: "attacker" }) });
  const victim = await connected(t, codec, server.url);
  await connection.first("connected");
  const fix = (at, n) => ({
    channel: fleet, key: "target", lat: at.lat, lng: at.lng,
    accuracy_m: 3 + (at.lat % 1), speed_mps: 1 + (at.lng % 1), heading_deg: Math.abs(at.lat * 1000) % 360,
    time_ms: 1_700_000_000_000 + n * 1000, data: { kind: "bike" }, tags: { kind: "bike" },
  });
  await server.api("geo_set", fix(truth[0], 0));
  const wide = { near: { lat: center.lat, lng: center.lng, radius_m: 60_000 } };
  const { lat, lng } = center;
  await subscribed(client, `${fleet}@moved`, { data: { ...wide, distance: true } });
  await subscribed(client, `${fleet}@wide`, { data: { ...wide, distance: true } });
  const edge = { near: { lat: lat + 0.01, lng, radius_m: 1_100 } };
  await subscribed(client, `${fleet}@edge`, { data: { ...edge, distance: true } });
  await subscribed(client, `${fleet}@nearest`, { data: { nearest: 1, to: { lat: lat + 0.01, lng } } });
  const detect = ["enter", "exit", "inside", "outside", "cross", "approach"];
  await subscribed(client, `${fleet}@fence`, { data: { near: { lat: lat - 0.005, lng, radius_m: 600 }, detect } });
  const rings = [400, 800, 1_200, 1_600, 2_400];
  for (const radius of rings) {
    await subscribed(client, `${events}@near:${lat + 0.007},${lng - 0.004},${radius}`);
    const ring = { near: { lat: lat - 0.006, lng: lng + 0.003, radius_m: radius } };
    await subscribed(client, `${events}@d${radius}`, { data: { ...ring, distance: true } });
  }
  const own = await subscribed(victim.client, `${events}@me`, { data: { follow: "me", radius_m: 900 } });
  const everywhere = { near: { lat, lng, radius_m: 30_000_000 } };
  const reached = await subscribed(victim.client, `${events}@reached`, { data: everywhere });

  await ask(client, script.slice(0, queries / 2));
  for (const [n, at] of truth.entries()) {
    await server.api("geo_set", fix(at, n + 1));
    await victim.client.rpc("geo.position", { lat: at.lat, lng: at.lng });
    await tellEvents(server, at);
    await reach(server, center, n);
  }
  await ask(client, script.slice(queries / 2));
  for (const [method, data] of script.slice(0, 200)) {
    const isMove = method === "geo.move";
    const question = isMove ? { channel: fleet, area: data.area } : data;
    heard.push(api(await server.apiRaw(isMove ? "geo_count" : method.replace(".", "_"), JSON.stringify(question))));
  }
  await follow(client, server, center);
  for (const radius of rings) {
    const sub = client.getSubscription(`${events}@d${radius}`);
    await sub.history({ limit: 100 });
  }
  const ofVictim = [own, reached].map(({ events: told }) =>
    JSON.stringify(told.of("publication").map(({ data, tags, offset }) => ({ data, tags, offset }))));
  return [...bySource(heard), ...ofVictim];
}

async function ask(client, script) {
  for (let first = 0; first < script.length; first += 16) {
    await Promise.all(script.slice(first, first + 16).map(([method, data]) => client.rpc(method, data)));
  }
}

/** The same event with its place said in each of the ways that there are. */
async function tellEvents(server, { lat, lng }) {
  const point = { type: "Point", coordinates: [lng, lat] };
  await server.publish(events, { lat, lng, n: 1 });
  const motion = { accuracy_m: lat % 1, speed_mps: lng % 1, heading_deg: (lat * 100) % 90 };
  await server.publish(events, { lat, lng, n: 2, reach_m: 700, ...motion });
  await server.publish(events, { type: "Feature", geometry: point, properties: { n: 3 } });
  await server.publish(events, { n: 4 }, { tags: { lat: String(lat), lng: String(lng) } });
  await server.publish(events, { n: 5 }, { place: { lat, lng }, reach_m: 1_300 });
}

/** Events that reach only whoever is near: does the victim hear of them? */
async function reach(server, center, n) {
  for (let step = 0; step < 40; step += 1) {
    const { lat, lng } = travel(center, 200 + step * 60, (step * 77 + n) % 360);
    await server.publish(events, { lat, lng, n: `reach ${step}`, reach_m: 300 + step * 50 });
  }
}

/** An area that goes with the target in a channel that is exact, and events that feel for its edge. */
async function follow(client, server, center) {
  const data = { follow: { channel: fleet, key: "target" }, radius_m: 900 };
  const { events: told } = await subscribed(client, `${probes}@tail`, { data });
  const count = () => told.of("publication").length;
  for (let tries = 0; tries < 500 && count() === 0; tries += 1) {
    for (let step = 0; step < 8; step += 1) {
      const { lat, lng } = travel(center, step * 400, step * 45);
      await server.publish(probes, { lat, lng, wait: true });
    }
    await settled([told], () => count() > 0, 20);
  }
  for (let step = 0; step < 600; step += 1) {
    const { lat, lng } = travel(center, (step * 37) % 3_000, (step * 137) % 360);
    await server.publish(probes, { lat, lng, n: step, isProbe: true });
  }
  await server.publish(probes, { lat: center.lat, lng: center.lng, n: "last", isProbe: true });
  await settled([told], () => told.of("publication").some(({ data: { n } }) => n === "last"), 300);
}

/** A WebSocket that keeps what it receives. */
function recorder(heard) {
  return class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.on("message", (text) => heard.push(...String(text).split("\n").filter((line) => line.length > 2)));
    }
  };
}

const api = ({ status, body }) => JSON.stringify({ api: status, body });

/** Replies by number, then what was pushed to each subscription in order; without names of connection and stream. */
function bySource(lines) {
  const replies = [];
  const pushes = new Map();
  for (const line of lines) {
    const { id, push, api: status } = JSON.parse(line);
    const bare = line
      .replaceAll(/"(client|epoch|session|node)":"[^"]*"/g, '"$1":""')
      .replaceAll(/"time":\d+/g, '"time":0') // of receipt
      .replaceAll(/"offset":\d+,?/g, push?.pub?.data?.isProbe ? "" : "$&");
    if (id !== undefined) replies.push([id, bare]);
    else if (status !== undefined) replies.push([Infinity, bare]);
    else if (!push.pub?.data?.wait) {
      const source = push.channel ?? `${push.id}`;
      pushes.set(source, [...(pushes.get(source) ?? []), bare]);
    }
  }
  const ordered = replies.sort(([a], [b]) => (a === b ? 0 : a - b)).map(([, text]) => text);
  return [...ordered, ...[...pushes].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, texts]) => texts)];
}
