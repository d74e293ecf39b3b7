// Distances on the sphere.

/** Metres; the mean radius of the Earth. */
export const EARTH_RADIUS = 6371008.8;

export const radians = (degrees) => (degrees * Math.PI) / 180;

/** Along the great circle between two places, each [lat, lng]; exact for a metre as well. */
export function metres([lat, lng], [otherLat, otherLng]) {
  const half = (from, to) => Math.sin(radians(to - from) / 2) ** 2;
  const share = Math.cos(radians(lat)) * Math.cos(radians(otherLat)) * half(lng, otherLng);
  return 2 * EARTH_RADIUS * Math.asin(Math.min(1, Math.sqrt(half(lat, otherLat) + share)));
}
