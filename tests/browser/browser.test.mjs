// A page in Chromium with the released browser bundle of the SDK: it subscribes, the HTTP API publishes, the page shows it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Server, sign } from "../sdk/server.mjs";

const packages = createRequire(new URL("../sdk/js/package.json", import.meta.url));
const { chromium } = packages("playwright-core");
const bundles = fileURLToPath(new URL("../sdk/js/node_modules/centrifuge/dist/", import.meta.url));
const screenshots = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

let server;
let browser;
let pages;

before(async () => {
  server = await Server.start();
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  pages = createServer(async (request, response) => {
    const name = request.url.slice(1);
    if (name === "centrifuge.js" || name === "centrifuge.protobuf.js") {
      response.setHeader("Content-Type", "text/javascript; charset=utf-8");
      return response.end(await readFile(bundles + name));
    }
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    return response.end(page(new URL(request.url, "http://localhost").searchParams));
  }).listen(0, "127.0.0.1");
  await once(pages, "listening");
  await mkdir(screenshots, { recursive: true });
});

after(async () => {
  await browser?.close();
  pages?.close();
  await server?.stop();
});

/** Publications are appended to a list as text; the state of the subscription is in the title. */
function page(query) {
  const settings = JSON.stringify(Object.fromEntries(query)).replaceAll("<", "\\u003c");
  return `<!doctype html>
<meta charset="utf-8"><title>starting</title>
<h1>nearcast in a browser</h1><ul id="heard"></ul>
<script src="/${query.get("bundle")}"></script>
<script>
  const { url, token, channel } = ${settings};
  const client = new Centrifuge(url, { token });
  const sub = client.newSubscription(channel);
  sub.on("subscribed", () => (document.title = "subscribed"));
  sub.on("publication", ({ data }) => {
    const value = data instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(data)) : data;
    const item = document.createElement("li");
    item.textContent = value.text;
    document.getElementById("heard").append(item);
  });
  sub.subscribe();
  client.connect();
</script>`;
}

for (const bundle of ["centrifuge.js", "centrifuge.protobuf.js"]) {
  test(`a page with ${bundle} shows what the API publishes`, async () => {
    const channel = `stream:${bundle.replaceAll(".", "_")}`;
    const faults = [];
    const tab = await browser.newPage();
    tab.on("pageerror", (error) => faults.push(String(error)));
    tab.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    const query = new URLSearchParams({ bundle, url: server.url, token: sign({ sub: "page" }), channel });
    await tab.goto(`http://127.0.0.1:${pages.address().port}/page?${query}`);
    await tab.waitForFunction(() => document.title === "subscribed");
    const texts = ["first", "éà😀 <b>not bold</b>", "x".repeat(200)];
    for (const text of texts) await server.publish(channel, { text });
    await tab.waitForFunction((count) => document.querySelectorAll("#heard li").length === count, texts.length);
    assert.deepEqual(await tab.locator("#heard li").allTextContents(), texts);
    await tab.screenshot({ path: `${screenshots}${bundle}.png` });
    // Browsers ask for an icon by themselves.
    assert.deepEqual(faults.filter((fault) => !fault.includes("favicon")), []);
    await tab.close();
  });
}
