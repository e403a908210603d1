// SPDX-License-Identifier: Apache-2.0
// Holds document, routes and replies to each other: the document is sound OpenAPI 3.1, every recorded
// reply is one that it describes, and every operation of it was answered at least once.
// Usage: node validate_replies.mjs OPENAPI.json RECORDING.jsonl...
import fs from "node:fs";
import { isDeepStrictEqual } from "node:util";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Validator } from "@seriousme/openapi-schema-validator";

const METHODS = ["get", "put", "post", "patch", "delete"];
const STANDARD = ["date", "content-type", "content-length", "connection", "transfer-encoding"];
const REPORTED_MAX = 10;

const [documentPath, ...recordingPaths] = process.argv.slice(2);
const doc = JSON.parse(fs.readFileSync(documentPath, "utf8"));
const faults = [];

function fault(text) {
  if (faults.push(text) <= REPORTED_MAX) {
    console.error(text);
  }
}

async function checkDocument() {
  const result = await new Validator().validate(structuredClone(doc));
  if (!result.valid) {
    fault(`the document is not OpenAPI 3.1: ${JSON.stringify(result.errors)}`);
  }
}

// ---- schemas: compiled once, by where they stand in the document ----

const ajv = new Ajv2020.default({ strict: true, strictRequired: false, strictTypes: false });
addFormats.default(ajv);
ajv.addVocabulary(Object.keys(doc)); // the document is no schema, it only holds some
ajv.addSchema(doc, "doc.json");
const compiled = new Map();

function escaped(key) {
  return encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));
}

function validator(pointer) {
  if (!compiled.has(pointer)) {
    compiled.set(pointer, ajv.compile({ $ref: `doc.json#${pointer}` }));
  }
  return compiled.get(pointer);
}

function check(what, pointer, value) {
  const valid = validator(pointer);
  if (!valid(value)) {
    const errors = valid.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
    fault(`${what}: ${errors.slice(0, 6).join("; ")}\n    ${JSON.stringify(value).slice(0, 400)}`);
  }
}

// The object at a pointer, and the pointer where it really stands.
function resolve(pointer) {
  let at = doc;
  for (const key of pointer.split("/").slice(1)) {
    at = at?.[decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return at?.$ref ? resolve(at.$ref.slice(1)) : { value: at, pointer };
}

// ---- replies ----

const routes = Object.keys(doc.paths).map((path) => ({
  path,
  pattern: new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`),
}));
const hit = new Set();
const seen = new Set();

function checkHeaders(what, where, response, headers) {
  const documented = new Set();
  for (const name of Object.keys(response.headers ?? {})) {
    const header = resolve(`${where}/headers/${escaped(name)}`);
    const value = headers[name.toLowerCase()];
    documented.add(name.toLowerCase());
    if (value !== undefined) {
      check(`${what}, header ${name}`, `${header.pointer}/schema`, value);
    } else if (header.value.required) {
      fault(`${what}: header ${name} is missing`);
    }
  }
  for (const name of Object.keys(headers)) {
    if (!documented.has(name) && !STANDARD.includes(name)) {
      fault(`${what}: header ${name} is not documented`);
    }
  }
}

function checkBody(what, where, response, reply) {
  const type = reply.headers["content-type"]?.split(";")[0];
  const content = response.content?.[type];
  if (!response.content) {
    if (reply.body !== null) {
      fault(`${what}: a body where none is documented`);
    }
  } else if (!content) {
    fault(`${what}: content type ${type} is not documented`);
  } else if (reply.method !== "HEAD") {
    const schema = `${where}/content/${escaped(type)}/schema`;
    const values = content["x-lines"] ? reply.body : [reply.body];
    values.forEach((value) => check(what, schema, value));
  }
}

function checkResponse(what, pointer, reply) {
  const { value, pointer: where } = resolve(pointer);
  if (!value) {
    fault(`${what}: status ${reply.status} is not documented`);
    return;
  }
  checkHeaders(what, where, value, reply.headers);
  checkBody(what, where, value, reply);
}

// What was taken, the document must allow; of a batch each item that went well.
function checkSent(what, pointer, reply) {
  const body = resolve(pointer).value?.requestBody;
  if (reply.sent === undefined || reply.status >= 300 || !body?.content["application/json"]) {
    return;
  }
  const taken = Array.isArray(reply.body)
    ? reply.sent.filter((_, i) => reply.body[i].http < 400)
    : [reply.sent];
  const schema = `${pointer}/requestBody/content/${escaped("application/json")}/schema`;
  taken.forEach((sent) => check(`${what}, what was sent`, schema, sent));
}

function checkReply(reply) {
  const path = reply.path.split("?")[0];
  const what = `${reply.method} ${reply.path} ${reply.status}`;
  const found = routes.filter((r) => r.pattern.test(path));
  const method = reply.method === "HEAD" ? "get" : reply.method.toLowerCase();
  const route = found.find((r) => doc.paths[r.path][method]);

  if (reply.status === 501) {
    checkResponse(what, "/components/responses/NotImplemented", reply);
  } else if (found.length === 0) {
    checkResponse(what, "/components/responses/NotFound", { ...reply, route: null });
    if (reply.status !== 404) {
      fault(`${what}: no such path is documented`);
    }
  } else if (!route) {
    checkResponse(what, "/components/responses/MethodNotAllowed", reply);
    if (reply.status !== 405) {
      fault(`${what}: no such method is documented`);
    }
  } else {
    const pointer = `/paths/${escaped(route.path)}/${method}`;
    seen.add(`${method} ${route.path} ${reply.status}`);
    if (reply.status < 400) {
      hit.add(`${method} ${route.path}`);
    }
    checkResponse(what, `${pointer}/responses/${reply.status}`, reply);
    checkSent(what, pointer, reply);
    if (route.path === "/openapi.json" && reply.body && reply.status === 200 &&
        !isDeepStrictEqual(reply.body, doc)) {
      fault(`${what}: the daemon serves another document`);
    }
  }
}

await checkDocument();
const recorded = recordingPaths.flatMap((path) =>
  fs.readFileSync(path, "utf8").split("\n").filter(Boolean));
recorded.forEach((line) => checkReply(JSON.parse(line)));
const operations = routes.flatMap(({ path }) =>
  METHODS.filter((m) => doc.paths[path][m]).map((m) => `${m} ${path}`));
operations.filter((o) => !hit.has(o)).forEach((o) => fault(`${o}: never answered well`));
console.log(`${recorded.length} replies, ${operations.length} operations, ` +
  `${seen.size} of their statuses seen, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
