// Checks what the other scripts have written: formats, bounds, sizes, and rings that are simple.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { doubleArea, isHoleOf, meetings } from "./rings.js";

/** Bytes at most. */
const SIZES = {
  "zones/countries.geojson": 1_500_000,
  "zones/cities.tsv": 1_500_000,
  "events/earthquakes.json": 300_000,
  "city/streets.json": 600_000,
  "tracks/small.csv": 300_000,
};

function read(path) {
  const text = readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
  assert.ok(Buffer.byteLength(text) <= SIZES[path], `${path} is too large`);
  return text;
}

function checkPlace(lat, lng, what) {
  assert.ok(Math.abs(lat) <= 90 && Math.abs(lng) <= 180, `${what}: ${lat},${lng}`);
}

function checkRing(ring, isShell, what) {
  assert.ok(ring.length >= 4, `${what}: too few vertices`);
  assert.deepEqual(ring[0], ring.at(-1), `${what}: not closed`);
  ring.slice(1).forEach(([lng, lat], i) => {
    checkPlace(lat, lng, what);
    assert.ok(Math.abs(lng - ring[i][0]) < 180, `${what}: an edge of half a turn`);
  });
  const whole = ring.slice(0, -1).map((vertex) => vertex.map((value) => Math.round(value * 1000)));
  assert.deepEqual([...meetings(whole)], [], `${what}: not simple`);
  assert.equal(doubleArea(whole) > 0, isShell, `${what}: turns the wrong way`);
  return whole;
}

const countries = JSON.parse(read("zones/countries.geojson")).features;
assert.equal(new Set(countries.map(({ properties }) => properties.id)).size, countries.length);
for (const { properties, geometry } of countries) {
  const { type, coordinates } = geometry;
  for (const polygon of type === "Polygon" ? [coordinates] : coordinates) {
    const [shell, ...holes] = polygon.map((ring, i) => checkRing(ring, i === 0, properties.name));
    for (const hole of holes) assert.ok(isHoleOf(hole, shell), `${properties.name}: a loose hole`);
  }
}

const cities = read("zones/cities.tsv").trimEnd().split("\n").slice(1);
const slugs = new Set();
for (const line of cities) {
  const [id, country, slug, name, lat, lng, population, ...rest] = line.split("\t");
  assert.ok(/^\d+$/.test(id) && /^[A-Z]{2}$/.test(country) && name && rest.length === 0, line);
  assert.match(slug, /^[a-z0-9]+(-[a-z0-9]+)*$/);
  assert.ok(Number(population) >= 15_000, line);
  checkPlace(Number(lat), Number(lng), line);
  slugs.add(`${country} ${slug}`);
}
assert.equal(slugs.size, cities.length);

for (const quake of JSON.parse(read("events/earthquakes.json"))) {
  checkPlace(quake.lat, quake.lng, quake.place);
  assert.ok(Number.isSafeInteger(quake.time_ms) && Number.isFinite(quake.magnitude) && quake.place);
}

const { nodes, edges } = JSON.parse(read("city/streets.json"));
for (const [lng, lat] of nodes) checkPlace(lat, lng, "a node");
const next = nodes.map(() => []);
for (const [from, to] of edges) {
  assert.ok(from < to && to < nodes.length);
  next[from].push(to);
  next[to].push(from);
}
const reached = new Set([0]);
for (const node of reached) for (const to of next[node]) reached.add(to);
assert.equal(reached.size, nodes.length, "the streets are not connected");

for (const line of read("tracks/small.csv").trimEnd().split("\n").slice(1)) {
  const [id, t, lat, lng, alt] = line.split(",");
  assert.ok(id && Number(t) > 0 && (alt === "" || Number.isFinite(Number(alt))), line);
  checkPlace(Number(lat), Number(lng), line);
}
console.log("all is well");
