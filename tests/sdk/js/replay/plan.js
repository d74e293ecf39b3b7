// Which areas are held over one set of tracks, and by whom.

import {
  areasAmong, asMap, conflated, detecting, filtered, followMe, followObject, hardAreas, insides, nearest, zone, zoneByLabel,
} from "./areas.js";
import { place } from "./sphere.js";

export const connections = 210;

/** Fixed areas, each with whether it has the place of each fix. None has a place just on an edge but for rounding. */
export async function fixedAreas(places, random, { count, reach, isHard }) {
  const found = [];
  // With a pause after each: connections that the node closes meanwhile are to be seen as closed.
  const add = async (area) => {
    const inside = insides(area, places);
    if (inside) found.push({ area, inside });
    await new Promise(setImmediate);
  };
  if (isHard) for (const area of hardAreas()) await add(area);
  const [wide, narrow] = [areasAmong(places, random, reach), areasAmong(places, random, reach / 20)];
  while (found.length < count) {
    const area = (found.length % 3 === 0 ? wide : narrow).next().value;
    await add(found.length % 8 === 5 && area.data ? filtered(area, random) : area);
  }
  return found;
}

/** Some of the fixed areas once more, as maps. */
export function mapsOf(fixed) {
  return fixed.filter(({ area }) => area.data).filter((_, n) => n % 15 === 0)
    .map(({ area, inside }) => ({ area: asMap(area), inside }));
}

/** Some of the fixed areas for clients that are told less often. */
export function conflatedOf(fixed) {
  return fixed.filter(({ area }) => area.data).filter((_, n) => n % 15 === 9)
    .map(({ area, inside }, n) => ({ area: conflated(area, [5, 10, 20][n % 3]), inside }));
}

/** Some of the fixed areas as fences: all that there is to tell, or some of it, with hysteresis where a distance says it. */
export function fencesOf(fixed) {
  const plain = ["enter", "exit", "inside", "outside"];
  const lists = [plain, ["enter", "exit"], ["exit", "outside"], ["inside"]];
  return fixed.filter(({ area }) => area.data && !area.wants).filter((_, n) => n % 7 === 3).map(({ area, inside }, n) => {
    const list = lists[n % lists.length];
    const detect = area.isMet && n % 3 > 0 ? [...list, "cross"] : list;
    return { area: detecting(area, detect, area.isNear && n % 2 === 0 ? undefined : 0), inside };
  });
}

export function followers(ids, channel, random, reach) {
  const radius = () => reach * (0.01 + random.below(1000) / 7001) + 0.123;
  const mine = Array.from({ length: 14 }, () => ({ area: followMe(radius()) }));
  const some = () => ids[random.below(ids.length)];
  const theirs = Array.from({ length: 14 }, () => ({ area: followObject(channel, some(), radius()) }));
  return [...mine, ...theirs];
}

export function nearestOf(places, random, reach, isHard) {
  const found = Array.from({ length: 12 }, (_, n) => {
    const { lat, lng } = places[random.below(places.length)];
    const to = place(Number((lat * 0.999).toFixed(5)), Number((lng * 0.999).toFixed(5)));
    const within = n % 3 === 0 ? reach * 0.7 + 0.567 : undefined;
    return { area: nearest([1, 2, 3, 5, 8, 20][n % 6], to, within) };
  });
  if (isHard) found.push({ area: nearest(4, place(90, 0)) }, { area: nearest(4, place(-17.9, 180)) });
  return found;
}

/** Zones over the first areas that are good for it, each with another area for later. */
export function zonesOver(fixed, name) {
  const shapes = fixed.filter(({ area }) => ["polygon", "circle", "bbox"].includes(area.kind));
  return Array.from({ length: 4 }, (_, n) => {
    const [first, later] = [shapes[2 * n], shapes[2 * n + 1]];
    const area = (n % 2 === 0 ? zone : zoneByLabel)(`${name}/${n}`, first.area);
    return { area, inside: first.inside, first, later };
  });
}
