// The demo's page. Five subscriptions on one connection: all couriers (faint), those in the circle (bright), the five
// nearest to its centre, what happens in it, and earthquakes; geo.move moves the circle. Which couriers are bright is
// what the server says of the circle, and nothing is computed here.

import { boxOf, CityMap, distanceM, steer } from "/map.js";
import { World } from "/world.js";

const couriersChannel = "couriers:city";
const moveEveryMs = 100;
const fixEveryMs = 1000;
const alertShownMs = 25_000;
const quakeEveryMs = 3000;
const element = (id) => document.getElementById(id);

const circle = { lat: 57.7005, lng: 11.966, radius_m: 450 };
const couriers = new Map(); // key -> {from, to, since, data, speed_mps}
const lit = new Map(); // key -> when it entered
const nearest = new Map(); // key -> place
let alerts = [];
let events = 0;
let moves = 0;

// === What comes from the server ===

/** A fix: the dot goes from where it is drawn to where it is said to be, in the second until the next. */
function place(object) {
  const now = performance.now();
  const before = couriers.get(object.key);
  const to = { lat: object.lat, lng: object.lng };
  const from = before ? drawnAt(before, now) : to;
  couriers.set(object.key, { from, to, since: now, data: object.data, speed_mps: object.speed_mps ?? 0 });
}

function drawnAt({ from, to, since }, now) {
  const part = Math.min(1, Math.max(0, (now - since) / fixEveryMs));
  return { lat: from.lat + (to.lat - from.lat) * part, lng: from.lng + (to.lng - from.lng) * part };
}

function enter(key) {
  if (!lit.has(key)) lit.set(key, performance.now());
}

function subscribe(client, channel, data, { onSnapshot, onEvent, fresh }) {
  const sub = client.newSubscription(channel, { data, getData: fresh && (async () => fresh()) });
  sub.on("subscribed", (context) => onSnapshot?.(context.data?.objects ?? [], context));
  sub.on("publication", (context) => {
    events += 1;
    onEvent(context.data);
  });
  sub.on("error", ({ error }) => say(`${channel}: ${error?.message ?? "error"}`, "error"));
  sub.subscribe();
  return sub;
}

const near = (round = circle) => ({ near: { lat: round.lat, lng: round.lng, radius_m: round.radius_m } });
const nearestTo = () => ({ nearest: 5, to: { lat: circle.lat, lng: circle.lng } });

function watchCity(client, bbox) {
  subscribe(client, `${couriersChannel}@all`, { bbox }, {
    onSnapshot(objects) {
      couriers.clear();
      objects.forEach(place);
    },
    onEvent(event) {
      if (event.event === "exit") couriers.delete(event.key);
      else place(event);
    },
  });
}

function watchCircle(client, changed) {
  let asked = { ...circle };
  subscribe(client, `${couriersChannel}@circle`, near(), {
    fresh: () => near((asked = { ...circle })),
    onSnapshot(objects) {
      lit.clear();
      objects.forEach(({ key }) => enter(key));
      demo.circle = asked;
      // What was changed meanwhile could not be moved yet.
      changed();
    },
    onEvent({ event, key, data }) {
      if (event === "enter") {
        enter(key);
        say(`${data?.name ?? key} enters`, "enter");
      } else if (event === "exit") {
        lit.delete(key);
        say(`${data?.name ?? couriers.get(key)?.data?.name ?? key} leaves`, "exit");
      }
    },
  });
}

const keepNearest = ({ key, lat, lng, data }) => nearest.set(key, { lat, lng, data });

function watchNearest(client) {
  subscribe(client, `${couriersChannel}@nearest`, nearestTo(), {
    fresh: nearestTo,
    onSnapshot(objects) {
      nearest.clear();
      objects.forEach(keepNearest);
    },
    onEvent(event) {
      if (event.event === "exit") nearest.delete(event.key);
      else keepNearest(event);
    },
  });
}

function watchAlerts(client, world) {
  subscribe(client, "alerts:city@circle", near(), {
    fresh: () => near(),
    onEvent(alert) {
      alerts.push({ ...alert, since: performance.now() });
      if (alerts.length > 40) alerts.shift();
      say(alert.text, "alert");
    },
  });
  const bbox = { west: -180, south: -90, east: 180, north: 90 };
  const quakes = subscribe(client, "alerts:earthquakes", { bbox }, {
    onEvent(quake) {
      world.add(quake, 0);
      showQuake(quake);
    },
  });
  quakes.once("subscribed", async () => {
    const { publications } = await quakes.history({ limit: 20, reverse: true });
    publications.reverse();
    publications.forEach(({ data }, index) => world.add(data, quakeEveryMs * (publications.length - index)));
    if (publications.length > 0) showQuake(publications.at(-1).data);
  });
}

// === The circle ===

/** Tells the server where the circle is, at most every `moveEveryMs`, and always where it came to rest. */
function mover(client) {
  let isDue = false;
  let isWaiting = false;
  const call = (channel, area) => client.rpc("geo.move", { channel, area });
  async function move() {
    const asked = { ...circle };
    const began = performance.now();
    // What the server says after it has moved the circle may be in the same frame. The SDK runs the first `then` of a
    // call before it takes the next message, so the sets must be changed there and no later.
    const inCircle = call(`${couriersChannel}@circle`, near(asked)).then(({ data: { added, removed } }) => {
      removed.forEach((key) => lit.delete(key));
      added.forEach(enter);
      demo.circle = asked;
      showRoundTrip(performance.now() - began);
      moves += 1;
    });
    const nearestOnes = call(`${couriersChannel}@nearest`, nearestTo()).then(({ data: { objects, removed } }) => {
      removed.forEach((key) => nearest.delete(key));
      objects.forEach(keepNearest);
    });
    await Promise.all([inCircle, nearestOnes, call("alerts:city@circle", near(asked))]);
  }
  return function changed() {
    showRadius();
    isDue = true;
    if (isWaiting) return;
    isWaiting = true;
    (async () => {
      while (isDue) {
        isDue = false;
        // While there is no connection a move fails; the subscription begins again with the circle as it is.
        await Promise.all([move().catch(() => {}), new Promise((resolve) => setTimeout(resolve, moveEveryMs))]);
      }
      isWaiting = false;
    })();
  };
}

// === What is shown ===

function say(text, kind) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  const words = document.createElement("span");
  line.className = kind;
  time.textContent = new Date().toLocaleTimeString("en-GB");
  words.textContent = text;
  line.append(time, words);
  const log = element("log");
  log.prepend(line);
  while (log.childElementCount > 40) log.lastElementChild.remove();
}

function showRadius() {
  element("radius").value = circle.radius_m;
  element("radius-text").textContent = `${Math.round(circle.radius_m)} m`;
}

let roundTripMs = null;
function showRoundTrip(ms) {
  roundTripMs = roundTripMs === null ? ms : roundTripMs * 0.7 + ms * 0.3;
  element("rtt").textContent = `${roundTripMs.toFixed(1)} ms`;
}

function showNearest() {
  const rows = [...nearest.values()].map((courier) => ({ ...courier, metres: distanceM(courier, circle) }));
  rows.sort((one, other) => one.metres - other.metres);
  element("nearest").replaceChildren(...rows.map(({ data, metres }, index) => {
    const row = document.createElement("li");
    const [rank, name, far, state] = ["i", "span", "b", "small"].map((tag) => document.createElement(tag));
    rank.textContent = index + 1;
    name.textContent = data?.name ?? "";
    state.textContent = `${data?.kind === "foot" ? "on foot" : "bike"}, ${data?.state}`;
    far.textContent = `${metres.toFixed(0)} m`;
    name.append(state);
    row.append(rank, name, far);
    return row;
  }));
}

function showQuake(quake) {
  const magnitude = document.createElement("b");
  magnitude.textContent = `M ${quake.magnitude.toFixed(1)} `;
  element("quake").replaceChildren(magnitude, `${quake.place}, ${Math.max(0, quake.depth_km).toFixed(0)} km deep`);
}

function showFigures() {
  element("count").textContent = lit.size;
  element("total").textContent = couriers.size;
  showNearest();
}

function showRates(client) {
  let [last, since] = [events, performance.now()];
  setInterval(() => {
    const now = performance.now();
    element("rate").textContent = Math.round(((events - last) * 1000) / (now - since));
    [last, since] = [events, now];
    element("moves").textContent = `${moves} moves of the circle`;
    // The answer to any call tells the round trip while the circle rests.
    const began = performance.now();
    client.rpc("geo.zones", { lat: circle.lat, lng: circle.lng })
      .then(() => showRoundTrip(performance.now() - began), () => {});
  }, 1000);
}

function animate(map, world, steering) {
  const frame = () => {
    const now = performance.now();
    alerts = alerts.filter((alert) => now - alert.since < alertShownMs);
    map.draw({
      circle,
      held: steering.held,
      couriers: [...couriers].map(([key, courier]) => ({
        place: drawnAt(courier, now),
        lit: lit.has(key),
        nearest: nearest.has(key),
        flash: lit.has(key) ? Math.max(0, 1 - (now - lit.get(key)) / 700) : 0,
      })),
      alerts: alerts.map((alert) => ({ ...alert, age: (now - alert.since) / alertShownMs })),
    });
    world.draw(now);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  setInterval(showFigures, 200);
}

/** For tests: what the page knows. `circle` is the one that the server applied last. */
const demo = { couriers, lit, nearest, circle: null, wanted: circle, distanceM, events: () => events };
window.demo = demo;

async function start() {
  const world = new World(element("world"));
  const streets = await (await fetch("/streets.json")).json();
  const box = boxOf(streets.nodes);
  const map = new CityMap(element("map"), streets, box);
  demo.map = map;
  const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/connection/websocket`;
  const client = new Centrifuge(url);
  const state = element("state");
  client.on("state", ({ newState }) => {
    state.dataset.state = newState;
    state.textContent = newState;
  });
  const changed = mover(client);
  watchCity(client, box);
  watchCircle(client, changed);
  watchNearest(client);
  watchAlerts(client, world);
  const steering = steer(element("map"), map, circle, changed);
  element("radius").addEventListener("input", (event) => {
    circle.radius_m = Number(event.target.value);
    changed();
  });
  showRadius();
  client.connect();
  showRates(client);
  animate(map, world, steering);
  world.show(await (await fetch("/countries.json")).json());
}

start();
