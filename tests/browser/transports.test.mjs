// The example page with WebSocket and WebTransport side by side, in Chromium, over a network that can drop UDP.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Server, secret, sign } from "../sdk/server.mjs";
import { UdpProxy } from "./udp.mjs";

const packages = createRequire(new URL("../sdk/js/package.json", import.meta.url));
const { chromium } = packages("playwright-core");
const repository = fileURLToPath(new URL("../../", import.meta.url));
const screenshots = `${repository}target/screenshots/`;
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const page = "/examples/transports/";
const types = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml" };

const user = "ann";
const bounded = { timeout: 60_000 };
// A client that hears nothing for 6 s knows that its connection is gone.
const env = {
  NEARCAST_LISTEN__ADMIN: "127.0.0.1:0",
  NEARCAST_CLIENT__TOKEN__HMAC_SECRET_KEY: secret,
  NEARCAST_CLIENT__PING_INTERVAL: "3s",
  NEARCAST_CLIENT__PONG_TIMEOUT: "2s",
};

let server;
let network;
let browser;
let pages;
let tab;
const faults = [];

before(async () => {
  await mkdir(screenshots, { recursive: true });
  server = await startNode();
  network = await UdpProxy.start(server.webtransport);
  pages = createServer(answer).listen(0, "127.0.0.1");
  await once(pages, "listening");
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], ignoreDefaultArgs: ["--disable-quic"] });
  tab = await open();
});

after(async () => {
  await browser?.close();
  pages?.close();
  network?.stop();
  await server?.stop();
  assert.deepEqual(faults, []);
});

/** A node as README.md starts it, on free ports or where the last one was. */
function startNode(http = "127.0.0.1:0", webtransport = "127.0.0.1:0") {
  return Server.start({ dev: true, http, env: { ...env, NEARCAST_LISTEN__WEBTRANSPORT: webtransport } });
}

/** Files of the repository, as `python3 -m http.server` would serve them, and what the node has printed. */
async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === `${page}node.json`) {
    const { http, certificate_sha256, certificate_by_hash } = server;
    const told = { http, webtransport: network.address, certificate_sha256, certificate_by_hash };
    return response.end(JSON.stringify({ ...told, token: sign({ sub: user }) }));
  }
  const path = pathname === page ? `${page}index.html` : pathname;
  response.setHeader("Content-Type", types[extname(path)] ?? "application/octet-stream");
  return readFile(repository + path).then((file) => response.end(file), () => response.writeHead(404).end());
}

async function open() {
  const opened = await browser.newPage({ viewport: { width: 1360, height: 860 } });
  opened.on("pageerror", (error) => faults.push(String(error)));
  await opened.goto(`http://127.0.0.1:${pages.address().port}${page}`);
  await opened.waitForFunction(() => window.transports !== undefined);
  return opened;
}

/** Waits until a panel is connected by this transport, and both its subscriptions are there. */
function isConnected(name, transport, where = tab) {
  return where.waitForFunction(([name, transport]) => {
    const panel = window.transports.panels[name];
    const subs = Object.values(panel.client.subscriptions());
    return panel.transport === transport && subs.every(({ state }) => state === "subscribed");
  }, [name, transport]);
}

const panel = (name) =>
  tab.evaluate((name) => {
    const { client, transport, clientId, deliveries, datagrams, fixes, ended, closed, stream } =
      window.transports.panels[name];
    return { state: client.state, transport, clientId, deliveries, datagrams, fixes, ended, closed, stream };
  }, name);

const heard = (name, text) =>
  tab.evaluate(([name, text]) => {
    return window.transports.panels[name].events.filter((event) => event.text === text).length;
  }, [name, text]);

const hears = (name, text) =>
  tab.waitForFunction(([name, text]) => {
    return window.transports.panels[name].events.some((event) => event.text === text);
  }, [name, text]);

/** Where both panels are, and the other end of their way. */
const here = () => tab.evaluate(() => window.transports.walk.place());
const there = () => tab.evaluate(() => window.transports.walk.opposite());

async function metrics() {
  return (await fetch(`http://${server.admin}/metrics`)).text();
}

async function happens(place, text) {
  await server.publish("events:city", { ...place, text });
}

const pause = () => tab.locator("#pause").click();

/** Waits until a panel shows this text in one of its figures. */
function shows(name, figure, text) {
  const index = name === "websocket" ? 0 : 1;
  return tab.locator(`[data-show=${figure}]`).nth(index).filter({ hasText: text }).waitFor();
}

/** Waits until a panel has those couriers that are in its circle as it is drawn, and there are some. */
function hasWhatIsInside(name) {
  return tab.waitForFunction((name) => {
    const { panels, walk, city, distanceM, areaRadiusM } = window.transports;
    const within = city.couriers.filter(({ place }) => distanceM(place, walk.place()) <= areaRadiusM);
    const { inside } = panels[name];
    return within.length > 0 && within.length === inside.size && within.every(({ key }) => inside.has(key));
  }, name);
}

test("each panel is connected by its transport, and both hear what one of them publishes", bounded, async () => {
  await isConnected("websocket", "websocket");
  await isConnected("webtransport", "webtransport");
  await tab.evaluate(() => {
    const { panels, walk } = window.transports;
    return panels.webtransport.client.publish("events:city", { ...walk.place(), text: "by WebTransport" });
  });
  await hears("websocket", "by WebTransport");
  await hears("webtransport", "by WebTransport");
  await tab.waitForFunction(() => Object.values(window.transports.panels).every((one) => one.latencyMs !== null));
});

test("datagrams move the area that follows the session, while events arrive", bounded, async () => {
  const before = await panel("webtransport");
  for (let turn = 0; turn < 6; turn += 1) {
    await tab.evaluate(() => (window.transports.walk.angle += 1.3));
    await hasWhatIsInside("webtransport");
    await hasWhatIsInside("websocket");
    await happens(await there(), `far ${turn}`);
    await happens(await here(), `near ${turn}`);
    await hears("webtransport", `near ${turn}`);
    await hears("websocket", `near ${turn}`);
    assert.equal(await heard("webtransport", `far ${turn}`), 0);
    assert.equal(await heard("websocket", `far ${turn}`), 0);
  }
  await tab.waitForFunction((count) => window.transports.panels.webtransport.datagrams > count, before.datagrams + 20);
  // Ten a second, and none of them lost or late here.
  const [from, since] = [(await panel("webtransport")).datagrams, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const rate = ((await panel("webtransport")).datagrams - from) / ((performance.now() - since) / 1000);
  assert.ok(rate > 7 && rate < 11, `${rate} datagrams a second`);
  const dropped = (await metrics()).match(/^nearcast_geo_datagrams_dropped\{.*\} [1-9]/gm);
  assert.equal(dropped, null);
  await tab.screenshot({ path: `${screenshots}transports.png` });
  assert.ok((await panel("webtransport")).deliveries > before.deliveries);
  assert.equal((await panel("websocket")).datagrams, 0);
  await shows("webtransport", "fixes", /\d+ by datagram/);
});

test("a session goes on when its network gives it another port", bounded, async () => {
  const { clientId } = await panel("webtransport");
  const migrations = async () => Number((await metrics()).match(/^nearcast_quic_migrations (\d+)/m)[1]);
  const before = await migrations();
  network.rebind();
  for (let turn = 0; turn < 5; turn += 1) {
    await happens(await here(), `from another port ${turn}`);
    await hears("webtransport", `from another port ${turn}`);
  }
  assert.equal((await panel("webtransport")).clientId, clientId);
  assert.equal(await migrations(), before + 1);
});

test("a session whose network dropped UDP for a while has what it missed", bounded, async () => {
  await pause();
  const { stream: { epoch } } = await panel("webtransport");
  network.isBlocked = true;
  await happens(await here(), "missed");
  await hears("websocket", "missed");
  await tab.waitForFunction(() => window.transports.panels.webtransport.client.state === "connecting");
  assert.equal(await heard("webtransport", "missed"), 0);
  network.isBlocked = false;
  await isConnected("webtransport", "webtransport");
  await hears("webtransport", "missed");
  assert.equal(await heard("webtransport", "missed"), 1);
  assert.deepEqual((await panel("webtransport")).stream, { recovered: true, wasRecovering: true, epoch });
  await shows("webtransport", "stream", "what was missed came");
  await tab.screenshot({ path: `${screenshots}transports_recovered.png` });
  await pause();
});

test("SDK and browser both tell code and reason of an end", bounded, async () => {
  const end = { code: 4501, reason: "Schluß" };
  for (const name of ["websocket", "webtransport"]) {
    await server.api("disconnect", { user, client: (await panel(name)).clientId, disconnect: end });
    await tab.waitForFunction((name) => window.transports.panels[name].closed?.code === 4501, name);
    const { state, ended, closed } = await panel(name);
    assert.deepEqual({ state, ended, closed }, { state: "disconnected", ended: end, closed: end });
    await shows(name, "closed", "4501 Schluß");
  }
  await tab.screenshot({ path: `${screenshots}transports_ended.png` });
  for (const button of await tab.locator("[data-button=connect]").all()) await button.click();
  await isConnected("websocket", "websocket");
  await isConnected("webtransport", "webtransport");
});

test("both come back to a node that was started anew, and are told that its streams are others", bounded, async () => {
  const { http, webtransport, certificate_sha256 } = server;
  const before = { websocket: await panel("websocket"), webtransport: await panel("webtransport") };
  await server.stop();
  for (const name of ["websocket", "webtransport"]) {
    await tab.waitForFunction((name) => window.transports.panels[name].ended?.code === 3001, name);
  }
  server = await startNode(http, webtransport);
  assert.notEqual(server.certificate_sha256, certificate_sha256);
  for (const name of ["websocket", "webtransport"]) {
    await isConnected(name, name);
    const { stream } = await panel(name);
    assert.notEqual(stream.epoch, before[name].stream.epoch);
    assert.deepEqual([stream.wasRecovering, stream.recovered], [true, false]);
    await hasWhatIsInside(name);
    await shows(name, "stream", "what was missed is lost");
  }
});

test("where UDP is dropped, a page is on WebSocket after one attempt, later after ten seconds", bounded, async () => {
  const { stream: { epoch } } = await panel("webtransport");
  await pause();
  network.isBlocked = true;
  await happens(await here(), "missed for long");
  const other = await open();
  await isConnected("webtransport", "websocket", other);
  assert.equal(await other.evaluate(() => window.transports.panels.webtransport.attempts.webtransport), 1);
  await other.waitForFunction(() => window.transports.panels.webtransport.deliveries > 0);
  await other.screenshot({ path: `${screenshots}transports_fallback.png` });
  await other.close();
  await isConnected("webtransport", "websocket");
  assert.equal(await heard("webtransport", "missed for long"), 1);
  assert.deepEqual((await panel("webtransport")).stream, { recovered: true, wasRecovering: true, epoch });
});
