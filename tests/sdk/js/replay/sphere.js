// Geometry that owes nothing to the server's: places as unit vectors, great circles, and polygons in the plane of
// longitude and latitude. What lies so near to an edge that rounding decides throws `Doubt`.

export const earthRadiusM = 6_371_008.8;
export const farthestM = Math.PI * earthRadiusM;

const doubtM = 1e-5;
const doubtDeg = 1e-9;

/** A place too near to the edge of an area for a test to know on which side it is. */
export class Doubt extends Error {}

const radians = (degrees) => (degrees * Math.PI) / 180;
const degrees = (angle) => (angle * 180) / Math.PI;

export function place(lat, lng) {
  const across = Math.cos(radians(lat));
  const unit = [across * Math.cos(radians(lng)), across * Math.sin(radians(lng)), Math.sin(radians(lat))];
  return { lat, lng, unit };
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];

export function distanceM(from, to) {
  const normal = cross(from.unit, to.unit);
  return Math.atan2(Math.hypot(...normal), dot(from.unit, to.unit)) * earthRadiusM;
}

/** To the nearest place of the great circle's shorter arc between two places. */
export function distanceToArcM(at, from, to) {
  const normal = cross(from.unit, to.unit);
  const length = Math.hypot(...normal);
  const isBeside = length > 0 && dot(cross(normal, from.unit), at.unit) > 0 && dot(cross(normal, to.unit), at.unit) < 0;
  if (!isBeside) return Math.min(distanceM(at, from), distanceM(at, to));
  const up = dot(at.unit, normal) / length;
  return Math.abs(Math.asin(Math.min(1, Math.max(-1, up)))) * earthRadiusM;
}

/** Between the nearest places of two great circles' arcs. */
export function distanceOfArcsM([a, b], [c, d]) {
  const [one, other] = [cross(a.unit, b.unit), cross(c.unit, d.unit)];
  const common = cross(one, other);
  const isOn = (at, normal, from, to) => dot(cross(normal, from.unit), at) > 0 && dot(cross(normal, to.unit), at) < 0;
  const doCross = [common, common.map((part) => -part)].some((at) => isOn(at, one, a, b) && isOn(at, other, c, d));
  if (doCross) return 0;
  return Math.min(distanceToArcM(a, c, d), distanceToArcM(b, c, d), distanceToArcM(c, a, b), distanceToArcM(d, a, b));
}

/** Whether a distance is at most so much. */
export function isWithin(distance, most) {
  if (most < farthestM && Math.abs(distance - most) < doubtM) throw new Doubt(`${distance} m of ${most} m`);
  return distance <= most;
}

export function normalLng(lng) {
  const turned = ((((lng + 180) % 360) + 360) % 360) - 180;
  return Number(turned.toFixed(7));
}

/** So many metres from a place, in a direction in degrees from north. */
export function travel(from, metres, heading) {
  const angle = metres / earthRadiusM;
  const [lat, course] = [radians(from.lat), radians(heading)];
  const sine = Math.sin(lat) * Math.cos(angle) + Math.cos(lat) * Math.sin(angle) * Math.cos(course);
  const to = Math.asin(Math.min(1, Math.max(-1, sine)));
  const east = Math.atan2(
    Math.sin(course) * Math.sin(angle) * Math.cos(lat),
    Math.cos(angle) - Math.sin(lat) * Math.sin(to),
  );
  return place(Number(degrees(to).toFixed(7)), normalLng(from.lng + degrees(east)));
}

/**
 * Corners of a ring of [lng, lat] one after the other without a jump at the antimeridian, the first one again at the
 * end. A ring round a pole comes back a whole turn further, and is closed over the nearer pole.
 */
export function unwrapped(ring) {
  const corners = [];
  for (const [lng, lat] of [...ring, ring[0]]) {
    const before = corners.at(-1);
    let x = lng;
    while (before && x - before[0] > 180) x -= 360;
    while (before && x - before[0] < -180) x += 360;
    corners.push([x, lat]);
  }
  const [first, last] = [corners[0], corners.at(-1)];
  if (first[0] !== last[0]) {
    const pole = corners.reduce((sum, corner) => sum + corner[1], 0) >= 0 ? 90 : -90;
    corners.push([last[0], pole], [first[0], pole], first);
  }
  return corners;
}

/** "in", "on" or "out": a ray to the north meets an odd number of edges or an even one. */
export function sideOf(corners, at) {
  let isOdd = false;
  for (const turn of [-360, 0, 360]) {
    const x = at.lng + turn;
    for (let index = 1; index < corners.length; index += 1) {
      const [a, b] = corners[index - 1][0] <= corners[index][0]
        ? [corners[index - 1], corners[index]]
        : [corners[index], corners[index - 1]];
      if (x < a[0] || x > b[0]) continue;
      if (a[0] === b[0] || a[1] === b[1]) {
        const [low, high] = [Math.min(a[1], b[1]), Math.max(a[1], b[1])];
        if (at.lat >= low && at.lat <= high) return "on";
      }
      if (a[0] === b[0]) continue;
      const y = a[1] + ((b[1] - a[1]) * (x - a[0])) / (b[0] - a[0]);
      if (a[1] !== b[1] && Math.abs(y - at.lat) < doubtDeg) throw new Doubt(`${at.lat}, ${at.lng} on an edge`);
      if (x < b[0] && at.lat < y) isOdd = !isOdd;
    }
  }
  return isOdd ? "in" : "out";
}
