// events/earthquakes.json: a week of the earthquakes that the USGS recorded, the oldest first.

import { packagedText, rounded, write } from "./text.js";

const { features } = JSON.parse(packagedText("vega-datasets/data/earthquakes.json"));
const quakes = features
  .filter(({ properties }) => properties.type === "earthquake" && properties.mag !== null)
  .map(({ properties, geometry: { coordinates } }) => ({
    time_ms: properties.time,
    lat: rounded(coordinates[1], 4),
    lng: rounded(coordinates[0], 4),
    magnitude: rounded(properties.mag, 2),
    place: properties.place,
  }))
  .sort((one, other) => one.time_ms - other.time_ms);
write("events/earthquakes.json", `[\n${quakes.map((q) => JSON.stringify(q)).join(",\n")}\n]\n`);
console.log(`  ${quakes.length} earthquakes`);
