// city/streets.json: the streets of central Gothenburg as a connected graph.

import { metres, radians } from "./sphere.js";
import { packaged, rounded, write } from "./text.js";

/** The square that is cut out: its centre, [lat, lng], and its sides in metres. */
const CENTRE = [57.7, 11.967];
const SIDE = 3500;

/** km/h by kind of street, where no limit is posted; what has no row here is left out. */
const SPEEDS = {
  trunk: 70, trunk_link: 50, primary: 50, primary_link: 50, secondary: 50, secondary_link: 50,
  tertiary: 50, tertiary_link: 50, unclassified: 50, residential: 50, cycleway: 20,
  living_street: 7, pedestrian: 7,
};

const [lat, lng] = CENTRE;
const HIGH = SIDE / 2 / metres([lat, lng], [lat + 1, lng]);
const WIDE = HIGH / Math.cos(radians(lat));
const isInside = ([x, y]) => Math.abs(y - lat) <= HIGH && Math.abs(x - lng) <= WIDE;

/** The nodes that are joined most widely with one another. */
function largestComponent(neighbours) {
  let largest = new Set();
  const seen = new Set();
  for (const start of neighbours.keys()) {
    if (seen.has(start)) continue;
    const reached = new Set([start]);
    for (const node of reached) for (const next of neighbours.get(node).keys()) reached.add(next);
    for (const node of reached) seen.add(node);
    if (reached.size > largest.size) largest = reached;
  }
  return largest;
}

const isStreet = ({ properties, geometry }) =>
  properties.highway in SPEEDS && geometry.type === "LineString";

const streets = packaged("geojson-path-finder/test/large-network.json").features.filter(isStreet);
/** By place, as text: ways that meet have a vertex in common. Each has neighbours with km/h. */
const neighbours = new Map();
const names = new Map();
for (const { properties, geometry } of streets) {
  const speed = Number(properties.maxspeed ?? SPEEDS[properties.highway]);
  const join = (from, to) => {
    neighbours.set(from, (neighbours.get(from) ?? new Map()).set(to, speed));
    names.set(from, (names.get(from) ?? new Set()).add(properties.name));
  };
  const places = geometry.coordinates.map((place) => place.map((degrees) => rounded(degrees, 6)));
  places.slice(1).forEach((to, i) => {
    const from = places[i];
    if (`${from}` === `${to}` || !isInside(from) || !isInside(to)) return;
    join(`${from}`, `${to}`);
    join(`${to}`, `${from}`);
  });
}

const kept = [...largestComponent(neighbours)].sort();
const index = new Map(kept.map((key, i) => [key, i]));
const places = kept.map((key) => key.split(",").map(Number));
const flipped = (i) => [places[i][1], places[i][0]];
const edges = kept.flatMap((key, from) =>
  [...neighbours.get(key)]
    .map(([other, speed]) => [from, index.get(other), speed])
    .filter(([, to]) => from < to)
    .map(([, to, speed]) => [from, to, rounded(metres(flipped(from), flipped(to)), 1), speed]),
);
const row = (list) => `[\n${list.map((item) => JSON.stringify(item)).join(",\n")}\n]`;
write(
  "city/streets.json",
  `{"name":"Central Gothenburg","attribution":"© OpenStreetMap contributors",` +
    `"licence":"ODbL-1.0",\n"nodes":${row(places)},\n"edges":${row(edges)}}\n`,
);
const junctions = kept.filter((key) => neighbours.get(key).size !== 2).length;
const named = new Set(kept.flatMap((key) => [...names.get(key)]));
named.delete(undefined);
const length = edges.reduce((sum, [, , metre]) => sum + metre, 0);
console.log(`  ${kept.length} nodes, ${edges.length} edges of ${Math.round(length / 1000)} km, ` +
  `${junctions} junctions and ends, ${named.size} street names`);
