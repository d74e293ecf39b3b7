// The map: streets, couriers and the circle on a canvas, and what the pointer and the keys do with the circle.

const earthRadiusM = 6371008.8;
const radians = Math.PI / 180;

/** Great-circle distance in metres, on the sphere that the server uses. */
export function distanceM(from, to) {
  const lat = Math.sin(((to.lat - from.lat) * radians) / 2);
  const lng = Math.sin(((to.lng - from.lng) * radians) / 2);
  const h = lat * lat + Math.cos(from.lat * radians) * Math.cos(to.lat * radians) * lng * lng;
  return 2 * earthRadiusM * Math.asin(Math.min(1, Math.sqrt(h)));
}

export function boxOf(nodes) {
  const box = { west: Infinity, south: Infinity, east: -Infinity, north: -Infinity };
  for (const [lng, lat] of nodes) {
    box.west = Math.min(box.west, lng);
    box.east = Math.max(box.east, lng);
    box.south = Math.min(box.south, lat);
    box.north = Math.max(box.north, lat);
  }
  return box;
}

export class CityMap {
  #canvas;
  #streets;
  #backdrop = document.createElement("canvas");
  #scale = 1; // device pixels for a degree of latitude
  #middle;

  constructor(canvas, streets, box) {
    this.#canvas = canvas;
    this.#streets = streets;
    this.box = box;
    this.#middle = { lat: (box.south + box.north) / 2, lng: (box.west + box.east) / 2 };
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#resize();
  }

  /** Device pixels of a place. */
  at({ lat, lng }) {
    const squeeze = Math.cos(this.#middle.lat * radians);
    return [
      this.#canvas.width / 2 + (lng - this.#middle.lng) * squeeze * this.#scale,
      this.#canvas.height / 2 - (lat - this.#middle.lat) * this.#scale,
    ];
  }

  /** The place under a pointer event. */
  placeOf(event) {
    const frame = this.#canvas.getBoundingClientRect();
    const ratio = this.#canvas.width / frame.width;
    return this.#place((event.clientX - frame.left) * ratio, (event.clientY - frame.top) * ratio);
  }

  /** Where a place is in the window, in CSS pixels. */
  clientOf(place) {
    const frame = this.#canvas.getBoundingClientRect();
    const ratio = frame.width / this.#canvas.width;
    const [x, y] = this.at(place);
    return { x: frame.left + x * ratio, y: frame.top + y * ratio };
  }

  /** Metres that one CSS pixel is wide. */
  get metresAPixel() {
    return (earthRadiusM * radians * this.#ratio) / this.#scale;
  }

  get #ratio() {
    return window.devicePixelRatio || 1;
  }

  #place(x, y) {
    const squeeze = Math.cos(this.#middle.lat * radians);
    return {
      lat: this.#middle.lat - (y - this.#canvas.height / 2) / this.#scale,
      lng: this.#middle.lng + (x - this.#canvas.width / 2) / (this.#scale * squeeze),
    };
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const [width, height] = [Math.round(clientWidth * this.#ratio), Math.round(clientHeight * this.#ratio)];
    if (width === 0 || height === 0) return;
    this.#canvas.width = this.#backdrop.width = width;
    this.#canvas.height = this.#backdrop.height = height;
    const squeeze = Math.cos(this.#middle.lat * radians);
    const wide = width / ((this.box.east - this.box.west) * squeeze);
    const high = height / (this.box.north - this.box.south);
    this.#scale = Math.min(wide, high) * 0.97;
    this.#drawStreets();
  }

  /** Once for each size; the moving things are drawn over it. */
  #drawStreets() {
    const brush = this.#backdrop.getContext("2d");
    const points = this.#streets.nodes.map(([lng, lat]) => this.at({ lat, lng }));
    // Cycleways and squares below, larger streets on top.
    const kinds = [[0, "#18233a", 0.8], [25, "#223150", 1.1], [45, "#2a3c62", 1.5], [65, "#38507f", 2.4]];
    brush.lineCap = "round";
    kinds.forEach(([slowest, colour, width], index) => {
      const fastest = kinds[index + 1]?.[0] ?? Infinity;
      brush.beginPath();
      for (const [from, to, , speed] of this.#streets.edges) {
        if (speed < slowest || speed >= fastest) continue;
        brush.moveTo(...points[from]);
        brush.lineTo(...points[to]);
      }
      brush.strokeStyle = colour;
      brush.lineWidth = width * this.#ratio;
      brush.stroke();
    });
  }

  /** `couriers`: [{place, lit, nearest, flash}], `alerts`: [{lat, lng, reach_m, age}] with ages 0…1. */
  draw({ couriers, circle, alerts, held }) {
    const brush = this.#canvas.getContext("2d");
    brush.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    brush.drawImage(this.#backdrop, 0, 0);
    this.#drawCircle(brush, circle, held);
    for (const alert of alerts) this.#drawAlert(brush, alert);
    const centre = this.at(circle);
    for (const courier of couriers) {
      if (courier.nearest) this.#drawThread(brush, centre, this.at(courier.place));
    }
    const dot = (courier, radius, colour) => {
      const [x, y] = this.at(courier.place);
      brush.beginPath();
      brush.arc(x, y, radius * this.#ratio, 0, 7);
      brush.fillStyle = colour;
      brush.fill();
    };
    for (const courier of couriers) if (!courier.lit) dot(courier, 2.4, "#5c6f96");
    for (const courier of couriers) {
      if (!courier.lit) continue;
      dot(courier, 8 + 8 * courier.flash, `rgba(255, 181, 71, ${0.16 + 0.3 * courier.flash})`);
      dot(courier, 3.6, courier.nearest ? "#5be0c2" : "#ffb547");
    }
    for (const courier of couriers) if (courier.nearest && !courier.lit) dot(courier, 3.4, "#5be0c2");
  }

  #drawCircle(brush, circle, held) {
    const [x, y] = this.at(circle);
    const radius = (circle.radius_m / this.metresAPixel) * this.#ratio;
    brush.beginPath();
    brush.arc(x, y, radius, 0, 7);
    const light = brush.createRadialGradient(x, y, 0, x, y, radius);
    light.addColorStop(0, "rgba(255, 181, 71, .03)");
    light.addColorStop(1, "rgba(255, 181, 71, .11)");
    brush.fillStyle = light;
    brush.fill();
    brush.strokeStyle = held ? "#ffd08a" : "#ffb547";
    brush.lineWidth = (held ? 2.2 : 1.5) * this.#ratio;
    brush.stroke();
    brush.beginPath();
    brush.arc(x + radius, y, 5 * this.#ratio, 0, 7);
    brush.fillStyle = "#ffb547";
    brush.fill();
    brush.beginPath();
    const arm = 5 * this.#ratio;
    brush.moveTo(x - arm, y);
    brush.lineTo(x + arm, y);
    brush.moveTo(x, y - arm);
    brush.lineTo(x, y + arm);
    brush.stroke();
  }

  #drawAlert(brush, alert) {
    const [x, y] = this.at(alert);
    const reach = (alert.reach_m / this.metresAPixel) * this.#ratio;
    const fade = 1 - alert.age;
    brush.beginPath();
    brush.arc(x, y, reach * Math.min(1, alert.age * 8 + 0.02), 0, 7);
    brush.strokeStyle = `rgba(143, 180, 255, ${0.45 * fade})`;
    brush.lineWidth = this.#ratio;
    brush.stroke();
    brush.beginPath();
    brush.rect(x - 4 * this.#ratio, y - 4 * this.#ratio, 8 * this.#ratio, 8 * this.#ratio);
    brush.fillStyle = `rgba(143, 180, 255, ${0.25 + 0.75 * fade})`;
    brush.fill();
  }

  #drawThread(brush, from, to) {
    brush.beginPath();
    brush.moveTo(...from);
    brush.lineTo(...to);
    brush.strokeStyle = "rgba(91, 224, 194, .35)";
    brush.lineWidth = this.#ratio;
    brush.stroke();
  }
}

const radiusLeastM = 80;
const radiusMostM = 1500;

/** Lets pointer and keys change the circle; `changed` is called after each change, `held` tells whether it is held. */
export function steer(canvas, map, circle, changed) {
  const state = { held: false };
  let grip = null;
  const confine = () => {
    circle.lat = Math.min(map.box.north, Math.max(map.box.south, circle.lat));
    circle.lng = Math.min(map.box.east, Math.max(map.box.west, circle.lng));
    circle.radius_m = Math.round(Math.min(radiusMostM, Math.max(radiusLeastM, circle.radius_m)));
    changed();
  };
  const onEdge = (place) => Math.abs(distanceM(place, circle) - circle.radius_m) < 10 * map.metresAPixel;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const place = map.placeOf(event);
    if (onEdge(place)) {
      grip = { resize: true };
    } else {
      const inside = distanceM(place, circle) < circle.radius_m;
      grip = { lat: inside ? place.lat - circle.lat : 0, lng: inside ? place.lng - circle.lng : 0 };
      if (!inside) Object.assign(circle, place);
    }
    state.held = true;
    confine();
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = map.placeOf(event);
    if (!grip) {
      const inside = distanceM(place, circle) < circle.radius_m;
      canvas.style.cursor = onEdge(place) ? "ew-resize" : inside ? "grab" : "crosshair";
      return;
    }
    if (grip.resize) circle.radius_m = distanceM(place, circle);
    else Object.assign(circle, { lat: place.lat - grip.lat, lng: place.lng - grip.lng });
    confine();
  });
  const release = () => {
    grip = null;
    state.held = false;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    circle.radius_m *= Math.exp(-event.deltaY / 900);
    confine();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 0.0006;
    const steps = { ArrowUp: [step, 0], ArrowDown: [-step, 0], ArrowLeft: [0, -2 * step], ArrowRight: [0, 2 * step] };
    if (event.key in steps) {
      circle.lat += steps[event.key][0];
      circle.lng += steps[event.key][1];
    } else if (event.key === "+" || event.key === "-") {
      circle.radius_m *= event.key === "+" ? 1.1 : 1 / 1.1;
    } else {
      return;
    }
    event.preventDefault();
    confine();
  });
  return state;
}
