/**
 * A bare loop: a file by its path, read into buffers of a pool, written to the response. No log, no
 * ranges, no checks; what a server in JavaScript costs at least. With a certificate it ends TLS.
 */
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';

const bufferBytes = 256 * 1024;
const pool: Buffer[] = [];
const [, , port = '0', site = '.', mediaType = '', certFile, keyFile] = process.argv;

async function sent(path: string, response: ServerResponse): Promise<void> {
  const file = await open(join(site, path));
  try {
    const { size } = await file.stat();
    const type = path.includes('/manifests/') ? mediaType : 'application/octet-stream';
    response.writeHead(200, { 'content-length': size, 'content-type': type });
    for (let at = 0; at < size; ) {
      const buffer = pool.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
      const { bytesRead } = await file.read(buffer, 0, bufferBytes, at);
      if (bytesRead === 0) throw new Error('the file is shorter than it was');
      at += bytesRead;
      await new Promise<void>((resolve, reject) => {
        response.write(buffer.subarray(0, bytesRead), (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
      pool.push(buffer);
    }
    response.end();
  } finally {
    await file.close();
  }
}

const answer: RequestListener = ({ url = '/' }, response) => {
  sent(url, response).catch((error: unknown) => {
    if (response.headersSent) response.destroy();
    else response.writeHead(404).end(String(error));
  });
};

const server =
  certFile === undefined || keyFile === undefined
    ? createServer(answer)
    : createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, answer);
server.listen(Number(port), '127.0.0.1');
