// WebTransport in Chromium: the SDK's transport of that name, and what a page hears of the end of a session.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Server, sign } from "../sdk/server.mjs";

const packages = createRequire(new URL("../sdk/js/package.json", import.meta.url));
const { chromium } = packages("playwright-core");
const bundles = fileURLToPath(new URL("../sdk/js/node_modules/centrifuge/dist/", import.meta.url));
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

let server;
let browser;
let pages;
let tab;

/** Trusts the node's development certificate by its hash, as a page for development would. */
const page = `<!doctype html><meta charset="utf-8"><title>webtransport</title>
<script src="/centrifuge.js"></script>
<script>
  const bytes = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
  const Plain = WebTransport;
  // The SDK takes the browser's, without options.
  const trust = (hex) => {
    window.WebTransport = class extends Plain {
      constructor(url) {
        super(url, { serverCertificateHashes: [{ algorithm: "sha-256", value: bytes(hex) }] });
      }
    };
  };
  /** A client that hears everything of one channel. */
  window.listen = ({ url, hash, token, channel }) => {
    const heard = { publications: [], transport: null, ended: null };
    const transports = [{ transport: "webtransport", endpoint: url }];
    trust(hash);
    const client = new Centrifuge(transports, { token });
    client.on("connected", ({ transport }) => (heard.transport = transport));
    client.on("disconnected", (ended) => (heard.ended = ended));
    const sub = client.newSubscription(channel);
    sub.on("publication", ({ data }) => heard.publications.push(data));
    sub.on("subscribed", () => (heard.subscribed = true));
    sub.subscribe();
    client.connect();
    window.heard = heard;
  };
  /** A session by hand: what its end says. */
  window.wait = async ({ url, hash, token }) => {
    trust(hash);
    const session = new WebTransport(url);
    await session.ready;
    const stream = await session.createBidirectionalStream();
    const connect = JSON.stringify({ id: 1, connect: { token } }) + "\\n";
    await stream.writable.getWriter().write(new TextEncoder().encode(connect));
    window.connected = (await stream.readable.getReader().read()).value.length > 0;
    const { closeCode, reason } = await session.closed;
    return { closeCode, reason };
  };
  /** A session by hand that has a stream for each subscription, of which it reads all but one. */
  window.divide = async ({ url, hash, token, channels, unread }) => {
    trust(hash);
    const session = new WebTransport(url);
    await session.ready;
    const heard = { replies: {}, streams: {}, read: {} };
    window.heard = heard;
    const lines = async (readable, take) => {
      const reader = readable.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", read; !(read = await reader.read()).done; ) {
        const all = (rest + read.value).split("\\n");
        rest = all.pop();
        for (const line of all) await take(JSON.parse(line));
      }
    };
    const main = await session.createBidirectionalStream();
    const writer = main.writable.getWriter();
    const say = (command) => writer.write(new TextEncoder().encode(JSON.stringify(command) + "\\n"));
    lines(main.readable, (message) => (heard.replies[message.id] = message));
    say({ id: 1, connect: { token, data: { webtransport: { streams: true } } } });
    channels.forEach((channel, index) => say({ id: index + 2, subscribe: { channel } }));
    window.readUnread = new Promise((resolve) => (heard.go = resolve));
    for await (const stream of session.incomingUnidirectionalStreams) {
      let channel;
      lines(stream, async (message) => {
        if (!channel) {
          channel = message.push.channel;
          heard.streams[channel] = message.id;
          heard.read[channel] = [];
          if (channel === unread) await window.readUnread;
          return;
        }
        heard.read[channel].push(message.push.pub.data.number);
      });
    }
  };
  window.refused = async ({ url, hash }) => {
    trust(hash);
    const session = new WebTransport(url);
    session.closed.catch(() => {});
    return session.ready.then(() => "ready", (error) => error.name);
  };
</script>`;

before(async () => {
  server = await Server.start({ env: { NEARCAST_LISTEN__WEBTRANSPORT: "127.0.0.1:0" } });
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], ignoreDefaultArgs: ["--disable-quic"] });
  pages = createServer(async (request, response) => {
    const isBundle = request.url === "/centrifuge.js";
    response.setHeader("Content-Type", isBundle ? "text/javascript; charset=utf-8" : "text/html; charset=utf-8");
    response.end(isBundle ? await readFile(`${bundles}centrifuge.js`) : page);
  }).listen(0, "127.0.0.1");
  await once(pages, "listening");
  tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${pages.address().port}/`);
});

after(async () => {
  await browser?.close();
  pages?.close();
  await server?.stop();
});

function target(path = "/connection/webtransport") {
  return { url: `https://${server.webtransport}${path}`, hash: server.certificate_sha256 };
}

test("the SDK speaks WebTransport, whatever the characters and the size", async () => {
  const token = sign({ sub: "ann" });
  await tab.evaluate((options) => window.listen(options), { ...target(), token, channel: "stream:web" });
  await tab.waitForFunction(() => window.heard.subscribed);
  assert.equal(await tab.evaluate(() => window.heard.transport), "webtransport");
  const sent = [];
  for (let number = 0; number < 30; number++) {
    const data = { number, text: "Grüße € 🦀 ".repeat(1 + number * 50) };
    sent.push(data);
    await server.publish("stream:web", data);
  }
  await tab.waitForFunction((count) => window.heard.publications.length === count, sent.length);
  assert.deepEqual(await tab.evaluate(() => window.heard.publications), sent);
});

test("the SDK hears a code that ends it for good", async () => {
  await server.api("disconnect", { user: "ann", disconnect: { code: 4501, reason: "Schluß" } });
  await tab.waitForFunction(() => window.heard.ended !== null);
  assert.deepEqual(await tab.evaluate(() => window.heard.ended), { code: 4501, reason: "Schluß" });
});

test("a page learns code and reason of a session's end", async () => {
  const token = sign({ sub: "ben" });
  const ended = tab.evaluate((options) => window.wait(options), { ...target(), token });
  await tab.waitForFunction(() => window.connected);
  await server.api("disconnect", { user: "ben", disconnect: { code: 4321, reason: "Grüße" } });
  assert.deepEqual(await ended, { closeCode: 4321, reason: "Grüße" });
});

test("a request elsewhere is refused", async () => {
  assert.equal(await tab.evaluate((options) => window.refused(options), target("/elsewhere")), "WebTransportError");
});

test("each subscription has a stream, and the one that a page does not read holds up no other", async () => {
  const token = sign({ sub: "cleo" });
  const [unread, ...others] = ["stream:slow", "stream:fast", "stream:other"];
  const channels = [unread, ...others];
  const options = { ...target(), token, channels, unread };
  tab.evaluate((options) => void window.divide(options).catch(() => {}), options);
  await tab.waitForFunction(() => window.heard.replies?.[4]);
  const filling = "x".repeat(8 << 10);
  const numbers = Array.from({ length: 100 }, (_, number) => number);
  for (const number of numbers) {
    for (const channel of channels) await server.publish(channel, { number, filling });
  }
  await tab.waitForFunction(
    ([others, count]) => others.every((channel) => window.heard.read[channel]?.length === count),
    [others, numbers.length],
  );
  const { streams, read } = await tab.evaluate(() => window.heard);
  assert.deepEqual(streams, { "stream:slow": 2, "stream:fast": 3, "stream:other": 4 });
  assert.deepEqual(read, { "stream:slow": [], "stream:fast": numbers, "stream:other": numbers });
  await tab.evaluate(() => window.heard.go());
  await tab.waitForFunction(() => window.heard.read["stream:slow"].length === 100);
  assert.deepEqual(await tab.evaluate(() => window.heard.read["stream:slow"]), numbers);
});
