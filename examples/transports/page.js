// WebSocket and WebTransport side by side: two sessions of the released SDK walk the same way, and each has the objects
// and events of the circle that follows it. Over WebTransport the fixes go by datagram. A third session of this page
// is the city: it moves the couriers and makes things happen.

import { boxOf, CityMap, distanceM } from "../../src/cli/demo/page/map.js";

const objectsChannel = "objects:city";
const eventsChannel = "events:city";
const middle = { lat: 57.7005, lng: 11.966 };
const wayRadiusM = 600;
const areaRadiusM = 350;
const lapMs = 90_000;
const fixEveryMs = 100;
const courierCount = 60;
const cityEveryMs = 1000;
const eventShownMs = 6000;
/** A node that is started anew is there again sooner. */
const failingMostMs = 10_000;
const metresADegree = 111_195;

/** A place so many metres from the middle of the city. */
function placeAt(eastM, northM) {
  const squeeze = Math.cos((middle.lat * Math.PI) / 180);
  return { lat: middle.lat + northM / metresADegree, lng: middle.lng + eastM / (metresADegree * squeeze) };
}

const onCircle = (radiusM, angle) => placeAt(radiusM * Math.cos(angle), radiusM * Math.sin(angle));

// === Where the node is ===

/**
 * What `nearcast serve --print-addresses` has printed; a node that is started anew has a new certificate. `token` may
 * be added where one is wanted.
 */
let node;

async function findNode() {
  const answer = await fetch("node.json", { cache: "no-store" });
  if (!answer.ok) throw new Error("there is no node.json");
  node = await answer.json();
}

const bytesOf = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));

/** A certificate for development is trusted by its hash; browsers refuse the hash of one that is valid for long. */
function trust() {
  if (!node.certificate_by_hash) return {};
  return { serverCertificateHashes: [{ algorithm: "sha-256", value: bytesOf(node.certificate_sha256) }] };
}

const overWebSocket = () => ({ transport: "websocket", endpoint: `ws://${node.http}/connection/websocket` });
const overWebTransport = () => ({
  transport: "webtransport",
  endpoint: `https://${node.webtransport}/connection/webtransport`,
});

// === The way that both walk ===

const walk = {
  angle: 0,
  isPaused: false,
  place: () => onCircle(wayRadiusM, walk.angle),
  opposite: () => onCircle(wayRadiusM, walk.angle + Math.PI),
};

// === A session and what is shown of it ===

class Panel {
  transport = null;
  client;
  clientId = null;
  deliveries = 0;
  fixes = 0;
  datagrams = 0;
  /** How often the browser was asked for a connection, by transport. */
  attempts = { websocket: 0, webtransport: 0 };
  /** Since when every attempt by WebTransport has failed. */
  failingSince = null;
  latencyMs = null;
  ended = null; // what the SDK said of the last end
  closed = null; // what the browser said of it
  stream = null; // what the last subscribe reply said of the events
  inside = new Map(); // key -> place
  events = []; // [{text, lat, lng, since}]
  #datagrams = null;
  #show = {};

  constructor(title, transports) {
    const root = document.getElementById("panel").content.cloneNode(true).firstElementChild;
    document.getElementById("panels").append(root);
    for (const place of root.querySelectorAll("[data-show]")) this.#show[place.dataset.show] = place;
    this.#show.title.textContent = title;
    this.canvas = root.querySelector("canvas");
    this.button = root.querySelector("[data-button=connect]");
    this.button.addEventListener("click", () => {
      if (this.client.state === "disconnected") this.client.connect();
      else this.client.disconnect();
    });
    this.client = new Centrifuge(transports, {
      // The SDK asks before each attempt. With the position, events that were missed are recovered where we are now.
      getData: async () => {
        await findNode().catch(() => {});
        return { device: title, position: walk.place(), webtransport: { datagrams: true } };
      },
      token: node.token ?? "",
      websocket: hearing(WebSocket, (socket) => this.#openedSocket(socket)),
      timeout: 3000,
      minReconnectDelay: 200,
      maxReconnectDelay: 2000,
      maxServerPingDelay: 3000,
    });
    this.#hearClient();
    this.#hearEvents();
    this.#hearObjects();
  }

  #hearClient() {
    const ended = ({ code, reason }) => {
      this.transport = null;
      this.ended = { code, reason };
    };
    this.client.on("connected", ({ transport, client }) => {
      this.transport = transport;
      this.clientId = client;
    });
    // Code 0 is the first attempt: nothing has ended.
    this.client.on("connecting", (context) => context.code !== 0 && ended(context));
    this.client.on("disconnected", ended);
    this.client.on("error", () => {}); // shown by what follows: another attempt, or the end
  }

  #hearEvents() {
    const sub = this.client.newSubscription(eventsChannel, { data: { follow: "me", radius_m: areaRadiusM } });
    sub.on("subscribed", ({ recovered, wasRecovering, streamPosition }) => {
      this.stream = { recovered, wasRecovering, epoch: streamPosition?.epoch };
    });
    sub.on("publication", ({ data }) => {
      this.#delivered(data.sent_ms);
      this.events.push({ text: data.text, lat: data.lat, lng: data.lng, since: performance.now() });
      if (this.events.length > 1000) this.events.shift();
    });
    sub.subscribe();
  }

  #hearObjects() {
    const sub = this.client.newSubscription(objectsChannel, { data: { follow: "me", radius_m: areaRadiusM } });
    sub.on("subscribed", ({ data }) => {
      this.inside.clear();
      for (const { key, lat, lng } of data?.objects ?? []) this.inside.set(key, { lat, lng });
    });
    sub.on("publication", ({ data: { event, key, lat, lng, reason, data } }) => {
      this.#delivered(reason === "moved" ? data?.sent_ms : undefined);
      if (event === "exit") this.inside.delete(key);
      else this.inside.set(key, { lat, lng });
    });
    sub.subscribe();
  }

  #delivered(sentMs) {
    this.deliveries += 1;
    if (sentMs !== undefined) this.latencyMs = now() - sentMs;
  }

  /** Whether WebTransport has failed for so long that another transport is better. */
  get isFailing() {
    return this.failingSince !== null && performance.now() - this.failingSince > failingMostMs;
  }

  #openedSocket(socket) {
    this.attempts.websocket += 1;
    socket.addEventListener("close", ({ code, reason }) => (this.closed = { code, reason }));
  }

  /** The SDK's own session: datagrams on it move the areas of the SDK's subscriptions. */
  openedSession(session) {
    this.attempts.webtransport += 1;
    session.closed.then(
      ({ closeCode, reason }) => (this.closed = { code: closeCode, reason }),
      (error) => (this.closed = { code: null, reason: error.message }),
    ).finally(() => {
      if (this.#datagrams?.session === session) this.#datagrams = null;
    });
    session.ready.then(() => {
      this.failingSince = null;
      const writable = session.datagrams.createWritable?.() ?? session.datagrams.writable;
      this.#datagrams = { session, writer: writable.getWriter() };
    }, () => (this.failingSince ??= performance.now()));
  }

  /** A fix that is lost is not missed: the next comes in a tenth of a second. */
  tell(place) {
    if (this.client.state !== "connected") return;
    const fix = { ...place, time_ms: Date.now() };
    this.fixes += 1;
    if (this.transport !== "webtransport") {
      this.client.send(fix).catch(() => {});
    } else if (this.#datagrams?.writer.desiredSize > 0) {
      this.datagrams += 1;
      const numbered = JSON.stringify({ ...fix, seq: this.fixes });
      this.#datagrams.writer.write(new TextEncoder().encode(numbered)).catch(() => {});
    }
  }

  showFigures() {
    const { state } = this.client;
    const ending = (end) => (end ? `${end.code ?? "no code"} ${end.reason}` : "–");
    const { recovered, wasRecovering, epoch } = this.stream ?? {};
    const missed = wasRecovering ? (recovered ? "what was missed came" : "what was missed is lost") : "from now on";
    const texts = {
      state,
      transport: this.transport ?? "–",
      deliveries: this.deliveries,
      latency: this.latencyMs === null ? "–" : `${this.latencyMs.toFixed(1)} ms`,
      fixes: this.datagrams > 0 ? `${this.fixes} (${this.datagrams} by datagram)` : this.fixes,
      inside: this.inside.size,
      ended: ending(this.ended),
      closed: ending(this.closed),
      stream: this.stream ? `epoch ${epoch}, ${missed}` : "–",
    };
    for (const [name, text] of Object.entries(texts)) this.#show[name].textContent = text;
    this.#show.state.dataset.state = state;
    this.button.textContent = state === "disconnected" ? "Connect" : "Disconnect";
  }

  draw(map) {
    const at = performance.now();
    const lit = [...this.inside].map(([, place]) => ({ place, lit: true, nearest: false, flash: 0 }));
    const dark = city.couriers.filter(({ key }) => !this.inside.has(key)).map(({ place }) => ({ place, lit: false }));
    map.draw({
      circle: { ...walk.place(), radius_m: areaRadiusM },
      held: false,
      couriers: [...dark, ...lit],
      alerts: this.events
        .filter(({ since }) => at - since < eventShownMs)
        .map(({ lat, lng, since }) => ({ lat, lng, reach_m: 60, age: (at - since) / eventShownMs })),
    });
  }
}

const now = () => performance.timeOrigin + performance.now();

/** A browser's class whose instances are shown to `opened`. */
function hearing(Plain, opened, options = () => []) {
  return class extends Plain {
    constructor(url, ...more) {
      super(url, ...more, ...options());
      opened(this);
    }
  };
}

// === The city ===

const city = {
  client: null,
  couriers: Array.from({ length: courierCount }, (_, index) => {
    // Spread evenly over the disc; each rides round a block of its own.
    const home = { radiusM: 1100 * Math.sqrt((index + 0.5) / courierCount), angle: index * 2.4 };
    return { key: `courier-${index}`, home, place: middle };
  }),

  connect() {
    this.client = new Centrifuge([overWebSocket()], { token: node.token ?? "", maxReconnectDelay: 2000 });
    this.client.on("error", () => {});
    this.client.connect();
    setInterval(() => this.live(), cityEveryMs);
  },

  live() {
    for (const courier of this.couriers) {
      const { radiusM, angle } = courier.home;
      const turn = angle + performance.now() / 8000;
      const east = radiusM * Math.cos(angle) + 90 * Math.cos(turn);
      const north = radiusM * Math.sin(angle) + 90 * Math.sin(turn);
      courier.place = placeAt(east, north);
    }
    if (this.client.state !== "connected") return;
    const publish = (channel, data) => this.client.publish(channel, data).catch(() => {});
    this.client.startBatching();
    for (const { key, place } of this.couriers) publish(objectsChannel, { key, ...place, data: { sent_ms: now() } });
    const near = onCircle(areaRadiusM * Math.random(), 2 * Math.PI * Math.random());
    const way = walk.place();
    const place = { lat: way.lat + near.lat - middle.lat, lng: way.lng + near.lng - middle.lng };
    publish(eventsChannel, { ...place, text: "something happened", sent_ms: now() });
    this.client.stopBatching();
  },
};

// === The page ===

async function start() {
  await findNode();
  const streets = await (await fetch("../../geo-data/city/streets.json")).json();
  const box = boxOf(streets.nodes);
  const panels = {
    websocket: new Panel("WebSocket", [overWebSocket()]),
    // A network may drop UDP: the SDK then takes the next of the list.
    webtransport: new Panel("WebTransport", [overWebTransport(), overWebSocket()]),
  };
  // The SDK takes the browser's class at each attempt, and gives it no options. It falls back only if it was never
  // connected, and Chromium makes each attempt wait longer for those that failed: a network that begins to drop UDP
  // would keep the session away. Without the class, the SDK takes the next of its list.
  if (window.WebTransport) {
    const opened = (session) => panels.webtransport.openedSession(session);
    const Heard = hearing(window.WebTransport, opened, () => [trust()]);
    const get = () => (panels.webtransport.isFailing ? undefined : Heard);
    Object.defineProperty(window, "WebTransport", { get });
  }
  const all = Object.values(panels);
  const maps = all.map(({ canvas }) => new CityMap(canvas, streets, box));
  city.connect();
  all.forEach(({ client }) => client.connect());

  let last = performance.now();
  setInterval(() => {
    const at = performance.now();
    if (!walk.isPaused) walk.angle += ((at - last) / lapMs) * 2 * Math.PI;
    last = at;
    all.forEach((panel) => panel.tell(walk.place()));
  }, fixEveryMs);
  const pause = document.getElementById("pause");
  pause.addEventListener("click", () => {
    walk.isPaused = !walk.isPaused;
    pause.textContent = walk.isPaused ? "Walk on" : "Stand still";
  });
  setInterval(() => all.forEach((panel) => panel.showFigures()), 200);
  const frame = () => {
    all.forEach((panel, index) => panel.draw(maps[index]));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  /** For tests: what the page knows. */
  window.transports = { panels, walk, city, distanceM, areaRadiusM };
}

start().catch((fault) => {
  const line = document.getElementById("fault");
  line.textContent = `${fault.message}: start the node as README.md says, then load this page again`;
  line.hidden = false;
});
