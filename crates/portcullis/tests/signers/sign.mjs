// Signs the same request with a signer of npm, as often as it is told, and sends it. Usage: sign.mjs MODULES URL WAY COUNT

import { createRequire } from "node:module";
import { request } from "node:http";

const [modules, base, way, count] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const url = new URL(base);
const path = "/prod/pets/a%20b/%E2%98%83";
const body = JSON.stringify({ name: "Réx" });
const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "a/secret+key" };

async function smithy() {
  const { SignatureV4 } = require("@smithy/signature-v4");
  const { Sha256 } = require("@aws-crypto/sha256-js");
  const signer = new SignatureV4({
    credentials, region: "eu-west-1", service: "execute-api", sha256: Sha256, applyChecksum: way !== "presign",
  });
  const plain = {
    method: "POST", protocol: "http:", hostname: url.hostname, port: Number(url.port),
    // The signer encodes the path once more by itself.
    path, query: { kind: "dog", name: "R&x" }, headers: { host: url.host }, body,
  };
  if (way === "presign") {
    const signed = await signer.presign({ ...plain, body: undefined }, { expiresIn: 60 });
    return { ...signed, body: undefined };
  }
  return signer.sign({ ...plain, headers: { ...plain.headers, "content-type": "application/json" } });
}

function aws4() {
  const signed = require("aws4").sign({
    service: "execute-api", region: "eu-west-1", host: url.host, method: "POST",
    path: `${path}?kind=dog&name=R%26x`, headers: { "Content-Type": "application/json" }, body,
  }, credentials);
  return { ...signed, query: undefined };
}

function target(signed) {
  const query = Object.entries(signed.query ?? {})
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return query.length ? `${signed.path}?${query.join("&")}` : signed.path;
}

for (let round = 0; round < Number(count); round++) {
  const signed = way === "aws4" ? aws4() : await smithy();
  const options = { host: url.hostname, port: url.port, method: "POST", path: target(signed), headers: signed.headers };
  const status = await new Promise((resolve, reject) => {
    const sent = request(options, (answer) => answer.resume().on("end", () => resolve(answer.statusCode)));
    sent.on("error", reject).end(signed.body);
  });
  console.log(status);
}
