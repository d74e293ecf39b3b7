// tracks/small.csv: movers that were never there, with the faults that real fixes have.

import { readFileSync } from "node:fs";

import { rounded, write } from "./text.js";

const SEED = 20261124;
/** Seconds; 2026-01-05 08:00 UTC, a Monday. */
const START = 1767600000;
const EARTH_RADIUS = 6371008.8;
/** Aircraft, ships and couriers have so many fixes each. */
const FIXES = { aircraft: 60, ship: 40, courier: 50 };
/** Seconds between fixes. */
const EVERY = { aircraft: 30, ship: 60, courier: 5 };
/** Metres by which a receiver is off, one standard deviation. */
const JITTER = { aircraft: 15, ship: 8, courier: 6 };
/** Share of fixes, of those of a mover, with each fault. */
const FAULTS = { late: 0.03, equal: 0.02, duplicate: 0.02 };

/** Mulberry32: the same numbers from the same seed everywhere. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = generator(SEED);
const between = (low, high) => low + (high - low) * random();
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

// === Places on the sphere ===

const radians = (degrees) => (degrees * Math.PI) / 180;
const degrees = (angle) => (angle * 180) / Math.PI;
const combined = (a, u, b, v) => a.map((x, i) => x * u + b[i] * v);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

function vector([lat, lng]) {
  const [phi, lambda] = [radians(lat), radians(lng)];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

function place([x, y, z]) {
  return [degrees(Math.atan2(z, Math.hypot(x, y))), degrees(Math.atan2(y, x))];
}

function metres(from, to) {
  const [a, b] = [vector(from), vector(to)];
  return EARTH_RADIUS * Math.acos(Math.min(1, Math.max(-1, dot(a, b))));
}

/** On the great circle through two places, so many metres from the first towards the second. */
function along(from, to, distance) {
  const [a, b] = [vector(from), vector(to)];
  const across = combined(b, 1, a, -dot(a, b));
  const length = Math.hypot(...across) || 1;
  const angle = distance / EARTH_RADIUS;
  return place(combined(a, Math.cos(angle), across, Math.sin(angle) / length));
}

function jittered([lat, lng], sigma) {
  const metre = degrees(1 / EARTH_RADIUS);
  const north = lat + normal() * sigma * metre;
  const east = lng + (normal() * sigma * metre) / Math.max(0.01, Math.cos(radians(lat)));
  return [Math.max(-90, Math.min(90, north)), ((east + 540) % 360) - 180];
}

// === Movers ===

/** Where a mover that follows a line of places is, so many metres on; it turns round at the end. */
function followed(line) {
  const lengths = line.slice(1).map((to, i) => metres(line[i], to));
  const whole = lengths.reduce((sum, length) => sum + length, 0);
  return (distance) => {
    const turned = distance % (2 * whole);
    let left = turned > whole ? 2 * whole - turned : turned;
    for (const [i, length] of lengths.entries()) {
      if (left <= length) return along(line[i], line[i + 1], left);
      left -= length;
    }
    return line.at(-1);
  };
}

/** Legs of aircraft; a flight of this file is half an hour in the middle of one. */
const ROUTES = [
  [[35.55, 139.78], [37.62, -122.38]],
  [[-33.95, 151.18], [33.94, -118.41]],
  [[-37.01, 174.79], [-33.39, -70.79]],
  [[-17.76, 177.44], [-14.33, -170.71]],
  [[61.17, -149.99], [59.97, 150.72]],
  [[60.32, 24.96], [35.55, 139.78]],
  [[40.64, -73.78], [22.31, 113.91]],
  [[25.25, 55.36], [47.45, -122.31]],
  [[50.03, 8.57], [40.64, -73.78]],
  [[-34.82, -58.54], [-33.95, 151.18]],
];
/** These cross within a kilometre of the pole, in the middle of their half hour. */
const OVER_POLE = [[[82.5, 30], [82.5, -150]], [[82.5, -95], [82.5, 85]], [[-82.5, 10], [-82.5, -170]]];

const SEAS = [
  [[29.85, 32.55], [29.4, 32.6], [28.6, 33.05], [27.9, 33.75]],
  [[51.1, 1.55], [50.9, 1.2], [50.6, 0.6], [50.4, -0.2]],
  [[1.2, 103.6], [1.17, 103.85], [1.3, 104.3], [1.5, 104.8]],
  [[-18.1, 179.7], [-17.9, -179.9], [-17.6, -179.4]],
  [[65.8, -169.2], [66.2, -168.9], [66.9, -168.6]],
  [[60.1, 24.95], [59.9, 24.9], [59.6, 24.8]],
];

function aircraft(i) {
  const speed = between(220, 255);
  const half = (speed * FIXES.aircraft * EVERY.aircraft) / 2;
  const polar = OVER_POLE[i];
  const [from, to] = polar ?? ROUTES[(i - OVER_POLE.length) % ROUTES.length];
  const whole = metres(from, to);
  const overAntimeridian = Math.abs(from[1] - to[1]) > 180;
  const middle = polar || !overAntimeridian ? whole / 2 : antimeridianAt(from, to, whole);
  const cruise = Math.round(between(30, 39)) * 304.8;
  const altitude = (t) => Math.round(cruise + 40 * Math.sin(t / 300));
  return { at: (t) => along(from, to, middle - half + speed * t), altitude };
}

/** Metres from the start at which a great circle goes over the antimeridian. */
function antimeridianAt(from, to, whole) {
  let [low, high] = [0, whole];
  const sign = Math.sign(from[1]);
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    if (Math.sign(along(from, to, middle)[1]) === sign) low = middle;
    else high = middle;
  }
  return low;
}

function ship(i) {
  const line = SEAS[i % SEAS.length];
  const position = followed(i % 2 ? line : [...line].reverse());
  const [offset, speed] = [between(0, 20_000), between(5, 10)];
  return { at: (t) => position(offset + speed * t), altitude: () => "" };
}

const city = JSON.parse(readFileSync(new URL("../city/streets.json", import.meta.url), "utf8"));
const ways = new Map(city.nodes.map((_, node) => [node, []]));
for (const [from, to] of city.edges) {
  ways.get(from).push(to);
  ways.get(to).push(from);
}

function courier() {
  const line = [Math.floor(random() * city.nodes.length)];
  while (line.length < 400) {
    const next = ways.get(line.at(-1));
    // Back the way it came only out of a dead end.
    const onward = next.filter((node) => node !== line.at(-2));
    const choice = onward.length > 0 ? onward : next;
    line.push(choice[Math.floor(random() * choice.length)]);
  }
  const places = line.map((node) => [city.nodes[node][1], city.nodes[node][0]]);
  const [position, speed] = [followed(places), between(2, 7)];
  return { at: (t) => position(speed * t), altitude: () => "" };
}

// === Fixes ===

function fixes(id, kind, { at, altitude }) {
  const begin = START + Math.round(between(0, 120));
  const rows = [];
  for (let n = 0; n < FIXES[kind]; n++) {
    const t = n * EVERY[kind] + (n > 0 ? rounded(between(-0.4, 0.4), 1) : 0);
    const [lat, lng] = jittered(at(t), JITTER[kind]).map((value) => rounded(value, 6));
    const row = { id, t: begin + t, lat, lng, alt: altitude(t), arrives: begin + t };
    const chance = random();
    if (chance < FAULTS.late) row.arrives += 2.5 * EVERY[kind];
    else if (chance < FAULTS.late + FAULTS.equal && n > 0) row.t = rows.at(-1).t;
    rows.push(row);
    if (random() < FAULTS.duplicate) rows.push({ ...row, arrives: row.arrives + 0.5 });
  }
  return rows;
}

const fleet = [
  ...Array.from({ length: 16 }, (_, i) => [`aircraft-${i + 1}`, "aircraft", aircraft(i)]),
  ...Array.from({ length: 14 }, (_, i) => [`ship-${i + 1}`, "ship", ship(i)]),
  ...Array.from({ length: 30 }, (_, i) => [`courier-${i + 1}`, "courier", courier()]),
];
const rows = fleet.flatMap(([id, kind, mover]) => fixes(id, kind, mover));
// The order of the file is that of arrival.
rows.sort((one, other) => one.arrives - other.arrives);
const lines = rows.map(({ id, t, lat, lng, alt }) => `${id},${t.toFixed(1)},${lat},${lng},${alt}`);
write("tracks/small.csv", `id,t,lat,lng,alt\n${lines.join("\n")}\n`);
console.log(`  ${fleet.length} movers, ${rows.length} fixes`);
