// SPDX-License-Identifier: Apache-2.0
// What all services have in common: health, figures, description, browsers, limits, errors, connections kept.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Network, program } from "./network.mjs";

const names = { market: "market", sms: "sms", store: "ipfsNode", scheduler: "scheduler" };
const routes = { market: "/apporders/{orderHash}", sms: "/requesters/{address}/secrets/{name}", store: "/ipfs/{rest}", scheduler: "/tasks/{id}/logs" };

describe("all services", { timeout: 200000 }, () => {
  let n;
  before(async () => { n = await Network.up(); });
  after(async () => n?.down());
  const url = (name) => n.json.services[names[name]];
  const get = async (u, init) => {
    const r = await fetch(u, init);
    const text = await r.text();
    return { status: r.status, headers: r.headers, text, json: text.startsWith("{") ? JSON.parse(text) : undefined };
  };
  // Raw bytes over one connection; what came back until it closed or was quiet for long enough to be whole.
  const talk = (u, bytes, want) => new Promise((done, failed) => {
    const s = net.connect(Number(new URL(u).port), "127.0.0.1", () => s.write(bytes));
    let got = "";
    s.on("data", (d) => { got += d; if (want && got.split(want).length > 2) s.destroy(); });
    s.on("close", () => done(got));
    s.on("error", failed);
  });

  for (const name of Object.keys(names)) {
    describe(name, () => {
      test("health", async () => {
        const r = await get(`${url(name)}/health`);
        assert.deepEqual([r.status, r.json.service, r.json.status], [200, name, "ok"]);
      });
      test("figures for Prometheus", async () => {
        const r = await get(`${url(name)}/metrics`, { headers: { accept: "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5" } });
        assert.match(r.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
        assert.match(r.text, new RegExp(`^strongroom_info\\{service="${name}",version="[0-9.]+"\\} 1$`, "m"));
        assert.match(r.text, /^http_requests_total\{/m);
        assert.match(r.text, /^process_resident_memory_bytes [0-9]+$/m);
      });
      test("its routes described", async () => {
        const r = await get(`${url(name)}/openapi.json`);
        assert.deepEqual([r.json.openapi, r.json.info.title], ["3.1.0", name]);
        assert.ok(r.json.paths[routes[name]], Object.keys(r.json.paths).join(" "));
        const valid = await new Validator().validate(r.json);
        assert.ok(valid.valid, JSON.stringify(valid.errors));
        for (const [path, methods] of Object.entries(r.json.paths))
          for (const [method, op] of Object.entries(methods)) {
            assert.ok(op.summary, `${method} ${path} is not described`);
            assert.ok(Object.keys(op.responses).some((status) => /^(101|2\d\d)$/.test(status)), `${method} ${path}: no success`);
            for (const text of JSON.stringify(op).matchAll(/"#\/components\/schemas\/([A-Za-z0-9]+)"/g))
              assert.ok(r.json.components.schemas[text[1]], `${method} ${path}: no schema ${text[1]}`);
          }
      });
      test("browsers may ask, with the headers that clients send", async () => {
        const path = routes[name].replace(/\{[a-zA-Z]+\}/g, "x");
        const r = await get(url(name) + path, { method: "OPTIONS", headers: { origin: "http://dapp.example", "access-control-request-method": "GET", "access-control-request-headers": "authorization,content-type,accept" } });
        assert.equal(r.status, 204);
        assert.match(r.headers.get("access-control-allow-origin"), /^(\*|http:\/\/dapp\.example)$/);
        assert.match(r.headers.get("access-control-allow-headers"), /authorization/);
      });
      test("an unknown path is 404, a wrong method 405 with what is allowed", async () => {
        assert.equal((await get(`${url(name)}/no/such/thing/at/all`)).status, 404);
        const r = await get(url(name) + routes[name].replace(/\{[a-zA-Z]+\}/g, "x"), { method: "DELETE" });
        assert.equal(r.status, 405);
        assert.match(r.headers.get("allow"), /GET|HEAD|POST/);
      });
      test("two requests over one connection", async () => {
        const got = await talk(url(name), "GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        assert.equal(got.split("HTTP/1.1 200 OK").length, 3);
      });
      test("a head without end is 431, one that is none 400", async () => {
        assert.match(await talk(url(name), `GET /health HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(40000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
        assert.match(await talk(url(name), "nonsense\r\n\r\n"), /^HTTP\/1\.1 400 /);
      });
    });
  }

  test("bodies have a limit: 413, before they are read", async () => {
    const big = "Content-Length: 999999999\r\nAuthorization: 0x00\r\nContent-Type: text/plain\r\n\r\n";
    const target = n.account("bob").address;
    assert.match(await talk(url("sms"), `POST /secrets/web2?ownerAddress=${target}&secretName=x HTTP/1.1\r\nHost: x\r\n${big}`), /^HTTP\/1\.1 413 /);
  });

  test("so many requests from one address, then 429 and when to come again", async () => {
    const dir = join(n.home, "limited");
    const role = spawn(program, ["role", "store", "--dir", dir, "--listen", "127.0.0.1:0", "--ready-fd", "3", "--rate", "1/5", "--access-log", "on"], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
    try {
      let log = "";
      role.stderr.on("data", (d) => { log += d; });
      let port;
      for await (const line of createInterface({ input: role.stdio[3] })) { port = JSON.parse(line).port; break; }
      const ask = () => get(`http://127.0.0.1:${port}/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG?token=hidden`, { headers: { authorization: "hidden" } });
      const answers = [];
      for (let i = 0; i < 8; i++) answers.push(await ask());
      assert.equal(answers[0].status, 404);
      const refused = answers.find((a) => a.status === 429);
      assert.ok(refused, answers.map((a) => a.status).join(" "));
      assert.deepEqual([refused.headers.get("retry-after"), refused.json.error, refused.json.code], ["1", "Rate limit exceeded", "RATE_LIMITED"]);
      assert.equal((await get(`http://127.0.0.1:${port}/health`)).status, 200);
      assert.match(log, /ev=request method="GET" route=\/ipfs\/\* status=404 ms=\d+ from=127\.0\.0\.1/);
      assert.doesNotMatch(log, /hidden|QmYwAPJ/);
    } finally {
      const ended = new Promise((done) => role.once("exit", done));
      role.kill("SIGTERM");
      await ended;
    }
  });
});
