// The world strip: land as lines, earthquakes as fading rings.

const fadeMs = 90_000;
const [north, south] = [78, -58];

export class World {
  #canvas;
  #land = document.createElement("canvas");
  #rings = [];
  #quakes = [];

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
  }

  /** GeoJSON of countries; only their rings are drawn. */
  show(countries) {
    this.#rings = countries.features.flatMap(({ geometry: { type, coordinates } }) =>
      type === "MultiPolygon" ? coordinates.flat() : coordinates);
    this.#drawLand();
  }

  /** A quake that was told of `ageMs` ago. */
  add(quake, ageMs) {
    this.#quakes.push({ ...quake, since: performance.now() - ageMs });
    if (this.#quakes.length > 60) this.#quakes.shift();
  }

  draw(now) {
    const { width, height } = this.#canvas;
    const ratio = window.devicePixelRatio || 1;
    const brush = this.#canvas.getContext("2d");
    brush.clearRect(0, 0, width, height);
    brush.drawImage(this.#land, 0, 0);
    this.#quakes = this.#quakes.filter((quake) => now - quake.since < fadeMs);
    for (const quake of this.#quakes) {
      const age = Math.max(0, now - quake.since) / fadeMs;
      const [x, y] = this.#at(quake.lng, quake.lat);
      const size = (1 + 0.28 * quake.magnitude ** 1.6) * ratio;
      brush.beginPath();
      brush.arc(x, y, size, 0, 7);
      brush.fillStyle = `rgba(255, 107, 107, ${0.85 * (1 - age)})`;
      brush.fill();
      const wave = (now - quake.since) / 2500;
      if (wave > 1 || wave < 0) continue;
      brush.beginPath();
      brush.arc(x, y, size + wave * 22 * ratio, 0, 7);
      brush.strokeStyle = `rgba(255, 107, 107, ${1 - wave})`;
      brush.lineWidth = 1.2 * ratio;
      brush.stroke();
    }
  }

  #at(lng, lat) {
    const { width, height } = this.#canvas;
    return [((lng + 180) / 360) * width, ((north - lat) / (north - south)) * height];
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    this.#canvas.width = this.#land.width = Math.max(1, Math.round(this.#canvas.clientWidth * ratio));
    this.#canvas.height = this.#land.height = Math.max(1, Math.round(this.#canvas.clientHeight * ratio));
    this.#drawLand();
  }

  #drawLand() {
    const brush = this.#land.getContext("2d");
    brush.clearRect(0, 0, this.#land.width, this.#land.height);
    brush.beginPath();
    for (const ring of this.#rings) {
      brush.moveTo(...this.#at(...ring[0]));
      for (const [lng, lat] of ring) brush.lineTo(...this.#at(lng, lat));
      brush.closePath();
    }
    brush.fillStyle = "#1d2b47";
    brush.fill("evenodd");
  }
}
