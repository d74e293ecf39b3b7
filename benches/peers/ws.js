// The fan-out of the npm package ws as its own documentation writes it: every message goes to all
// other clients. Prints its address and process as one line of JSON.
'use strict';

const { WebSocket, WebSocketServer } = require('ws');

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false }, () => {
  const address = `127.0.0.1:${server.address().port}`;
  console.log(JSON.stringify({ address, pid: process.pid }));
});

server.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data) => {
    for (const other of server.clients) {
      if (other !== socket && other.readyState === WebSocket.OPEN) {
        other.send(data, { binary: false });
      }
    }
  });
});
