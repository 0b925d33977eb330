/** Lines as the real programs wrote them; names, addresses and sizes are made up. */

const layer = `sha256:${'a4'.repeat(32)}`;

export const ownLines = [
  '{"level":"info","time":"2026-11-29T20:43:20.000Z","component":"proxy","msg":"listening","port":5000}',
  ownLine('2026-11-29T20:43:26.480Z', 'GET', '/v2/team/app/manifests/v1', { bytes: 666, totalMs: 80 }),
  ownLine('2026-11-29T20:43:27.500Z', 'GET', `/v2/team/app/blobs/${layer}`, { bytes: 7832, totalMs: 1050 }),
  ownLine('2026-11-29T20:43:27.600Z', 'HEAD', '/v2/team/app/manifests/v1', { bytes: 0, totalMs: 1 }),
];

function ownLine(time: string, method: string, path: string, ended: object): string {
  const fields = { requestId: 'x-1', method, path, status: 200, hit: 'memory', client: '10.0.0.7', ...ended };
  return JSON.stringify({ level: 'info', time, component: 'proxy', msg: 'request', ...fields });
}

/** docker-registry 2.8 at its level `info`: each request twice, the second time as Apache would. */
export const registryLines = [
  'time="2026-11-29T20:43:24.062570553Z" level=info msg="listening on 127.0.0.1:5000" go.version=go1.19.8 version=2.8.2+ds1',
  ...registryPair('GET', '/v2/', { status: 401, written: 2, at: '26.4', duration: '1.569755ms' }),
  ...registryPair('GET', '/v2/', { status: 200, written: 2, at: '26.48', duration: '1.569755ms' }),
  ...registryPair('HEAD', '/v2/team/app/manifests/v1', {
    status: 404,
    written: 92,
    at: '26.5',
    duration: '500µs',
  }),
  ...registryPair('POST', '/v2/team/app/blobs/uploads/', {
    status: 202,
    written: 0,
    at: '26.6',
    duration: '5ms',
  }),
  ...registryPair('GET', `/v2/team/app/blobs/${layer}`, {
    status: 200,
    written: 7832,
    at: '27.9',
    duration: '1.4s',
  }),
];

interface RegistryEnd {
  readonly status: number;
  readonly written: number;
  readonly at: string;
  readonly duration: string;
}

function registryPair(method: string, uri: string, end: RegistryEnd): readonly string[] {
  const { status, written, at, duration } = end;
  const second = at.split('.', 1)[0];
  return [
    [
      `time="2026-11-29T20:43:${at}Z" level=${status < 400 ? 'info' : 'error'}`,
      `msg="response completed${status < 400 ? '' : ' with error'}" go.version=go1.19.8`,
      `http.request.host="127.0.0.1:5000" http.request.method=${method}`,
      `http.request.remoteaddr="10.0.0.7:53482" http.request.uri=${uri.includes(':') ? JSON.stringify(uri) : uri}`,
      `http.request.useragent="quo\\"te \\\\x" http.response.contenttype="application/json; charset=utf-8"`,
      `http.response.duration=${duration} http.response.status=${status} http.response.written=${written}`,
    ].join(' '),
    `10.0.0.7 - - [29/Nov/2026:20:43:${second} +0000] "${method} ${uri} HTTP/1.1" ${status} ${written} "" "quo\\"te \\\\x"`,
  ];
}

/** The same program with `formatter: json`. */
export const registryJsonLine = JSON.stringify({
  'go.version': 'go1.19.8',
  'http.request.method': 'GET',
  'http.request.remoteaddr': '[fd00::7]:60248',
  'http.request.uri': `/v2/team/app/blobs/${layer}`,
  'http.response.duration': '15.750806ms',
  'http.response.status': 200,
  'http.response.written': 7832,
  level: 'info',
  msg: 'response completed',
  time: '2026-11-29T20:45:03.060291493Z',
});

/** nginx 1.22 with its default format, the first as a client of TLS came to a plain port. */
export const nginxLines = [
  '10.0.0.7 - - [29/Nov/2026:20:43:26 +0000] "\\x16\\x03\\x01\\x00\\xDE" 400 157 "-" "-"',
  nginxLine('26', 'GET /v2/ HTTP/1.1', 200, 2),
  nginxLine('26', 'GET /v2/team/app/manifests/v1?ns=quay.io HTTP/1.1', 200, 666),
  nginxLine('26', `GET /v2/team/app/blobs/${layer} HTTP/1.1`, 206, 100),
  nginxLine('26', 'PUT /v2/team/app/manifests/v2 HTTP/1.1', 201, 0),
  nginxLine('28', 'GET /index.html HTTP/1.1', 404, 153),
  nginxLine('28', 'GET /v2/team/app/tags/list HTTP/1.1', 200, 34),
];

function nginxLine(second: string, request: string, status: number, bytes: number): string {
  return `10.0.0.7 - - [29/Nov/2026:20:43:${second} +0000] "${request}" ${status} ${bytes} "-" "quo\\x22te \\x5Cx"`;
}

interface IbmRequest {
  readonly method?: string;
  readonly uri: string;
  readonly written?: number;
  readonly at: string;
}

/** A record in the form of the traces of FAST '18: names are eight hexadecimal digits. */
export function ibmRecord({ method = 'GET', uri, written = 0, at }: IbmRequest): object {
  return {
    host: 'dc118836',
    'http.request.duration': 1.005269323,
    'http.request.method': method,
    'http.request.remoteaddr': '0ee76ffa',
    'http.request.uri': uri,
    'http.request.useragent': 'docker/17.03.1-ce UpstreamClient(Docker-Client/17.03.1-ce \\(linux\\)) {"',
    'http.response.status': 200,
    'http.response.written': written,
    id: 'ed29d65dbd',
    timestamp: `2017-06-20T02:41:${at}Z`,
  };
}

export const ibmRecords = [
  ibmRecord({ uri: 'v2/4715bf52/437c49db/manifests/aa054319', written: 9576, at: '18.399' }),
  ibmRecord({ uri: 'v2/4715bf52/437c49db/blobs/93054319', written: 30_000_000, at: '19.000' }),
  ibmRecord({ method: 'PUT', uri: 'v2/4715bf52/437c49db/blobs/uploads/1f', at: '19.100' }),
  ibmRecord({ uri: 'v2/00000001/00000002/manifests/bb054319', written: 500, at: '18.900' }),
];
