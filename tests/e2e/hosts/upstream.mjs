// A model's API that tells what reached it: node upstream.mjs PORT.
//
//   any path   200, {method, url, headers} of the request
//   /flaky     503 for the first two calls, then like any path
//   /stall     nothing, ever
//   an upgrade to a WebSocket: each frame comes back

import { createHash } from "node:crypto";
import { createServer } from "node:http";

let calls = 0;

const server = createServer((request, response) => {
  request.resume();
  if (request.url.startsWith("/stall")) return;
  if (request.url.startsWith("/flaky")) {
    calls += 1;
    if (calls <= 2) {
      response.writeHead(503).end();
      return;
    }
  }
  const { method, url, headers } = request;
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ method, url, headers, calls }));
});

server.on("upgrade", (request, socket) => {
  const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, section 1.3
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + magic).digest("base64");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
  socket.on("data", (frame) => {
    const length = frame[1] & 127;
    const [mask, data] = [frame.subarray(2, 6), frame.subarray(6, 6 + length)];
    const text = data.map((byte, at) => byte ^ mask[at % 4]);
    socket.write(Buffer.concat([Buffer.from([frame[0], length]), text]));
  });
  socket.on("error", () => {});
});

server.listen(Number(process.argv[2]), "127.0.0.1");
