// zones/countries.geojson: the countries of Natural Earth, one feature a line.

import iso from "i18n-iso-countries";
import { feature } from "topojson-client";

import { cutAtAntimeridian, isPoleMark } from "./antimeridian.js";
import { doubleArea, isHoleOf, simpleRings } from "./rings.js";
import { packaged, slug, write } from "./text.js";

/** Smaller rings are dropped, in twice the square of a thousandth of a degree. */
const LEAST = 50;

/** Flatter bends are straightened, in twice the square of a step of the source's grid. */
const LEAST_BEND = 116;

function polygonsOf(rings) {
  const whole = rings
    .map((ring) =>
      ring.slice(0, -1).map(([lng, lat]) => [
        Math.round(lng * 1000) + 0,
        Math.round(lat * 1000) + 0,
      ]),
    )
    .filter((ring) => !isPoleMark(ring));
  const [shells, ...holes] = whole.map((ring) =>
    cutAtAntimeridian(ring).flatMap((part) => simpleRings(part, LEAST)),
  );
  const polygons = shells.map((shell) => [shell]);
  for (const hole of holes.flat()) {
    const home = polygons.find(([shell]) => isHoleOf(hole, shell));
    if (home) home.push(hole);
    else console.log("  a hole is dropped: it is not inside its polygon");
  }
  return polygons;
}

/** Closed, shells counterclockwise and holes clockwise, in degrees. */
function written(polygon) {
  return polygon.map((ring, index) => {
    const forward = doubleArea(ring) > 0 === (index === 0);
    const turned = forward ? ring : [...ring].reverse();
    return [...turned, turned[0]].map(([x, y]) => [x / 1000, y / 1000]);
  });
}

/** Arcs of fewer vertices keep all of them: they are islets and the least of countries. */
const SHORT_ARC = 16;

/**
 * An arc, as steps on the grid of the source, without vertices that stand out from the line between
 * their neighbours by next to nothing. Both countries of a border share the arc, and so the loss.
 */
function thinned(steps) {
  if (steps.length < SHORT_ARC) return steps;
  const kept = [];
  let [x, y] = [0, 0];
  for (const [dx, dy] of steps) {
    kept.push([(x += dx), (y += dy)]);
    if (kept.length > 2 && Math.abs(doubleArea(kept.slice(-3))) <= LEAST_BEND) kept.splice(-2, 1);
  }
  return kept.map(([px, py], i) => (i ? [px - kept[i - 1][0], py - kept[i - 1][1]] : [px, py]));
}

const atlas = packaged("world-atlas/countries-50m.json");
atlas.arcs = atlas.arcs.map(thinned);
const taken = new Set();
const lines = [];
let vertices = 0;
const { features } = feature(atlas, atlas.objects.countries);
for (const { id: numeric, properties, geometry } of features) {
  const name = properties.name;
  // Of places that share a code the first of the source, the country itself, has it.
  const code = numeric && iso.numericToAlpha2(numeric);
  const id = code && !taken.has(code) ? code : slug(name);
  if (taken.has(id)) throw new Error(`two places are ${id}`);
  taken.add(id);
  const parts = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
  const polygons = parts.flatMap(polygonsOf).map(written);
  if (polygons.length === 0) throw new Error(`nothing is left of ${name}`);
  vertices += polygons.flat(2).length;
  const [type, coordinates] =
    polygons.length === 1 ? ["Polygon", polygons[0]] : ["MultiPolygon", polygons];
  lines.push({ type: "Feature", properties: { id, name }, geometry: { type, coordinates } });
}
lines.sort((one, other) => (one.properties.id < other.properties.id ? -1 : 1));
const text = lines.map((line) => JSON.stringify(line)).join(",\n");
write("zones/countries.geojson", `{"type":"FeatureCollection","features":[\n${text}\n]}\n`);
console.log(`  ${lines.length} places, ${vertices} vertices`);
