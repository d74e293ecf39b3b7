// Geometry of the tests' own: distances on the sphere, and whether a place is in an area, one by one.

const radiusM = 6371008.8;
const radians = Math.PI / 180;

function unit({ lat, lng }) {
  const [phi, lambda] = [lat * radians, lng * radians];
  return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
}

/** Metres. */
export function distance(one, other) {
  const [a, b] = [unit(one), unit(other)];
  const length = (sign) => Math.hypot(...a.map((each, axis) => each + sign * b[axis]));
  return 2 * radiusM * Math.atan2(length(-1), length(1));
}

/** Whether the place is in an area as a subscription has it: near, bbox, or one polygon that stays on its side of 180. */
export function contains(area, place) {
  if (area.near) return distance(area.near, place) <= area.near.radius_m;
  if (area.bbox) {
    const { west, south, east, north } = area.bbox;
    if (place.lat < south || place.lat > north) return false;
    return west <= east ? place.lng >= west && place.lng <= east : place.lng >= west || place.lng <= east;
  }
  return area.geometry.coordinates.filter((ring) => isInRing(ring, place)).length === 1;
}

function isInRing(ring, { lat, lng }) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [[ax, ay], [bx, by]] = [ring[i], ring[j]];
    if (ay > lat !== by > lat && lng < ((bx - ax) * (lat - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
