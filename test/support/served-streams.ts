import type { ServerResponse } from 'node:http';

/** The image streams of a cluster double: listed whole, and watched. */
export interface ServedStreams {
  /** Makes the stream, with a tag by reference for each pull spec. */
  name(stream: string, specs: readonly string[]): void;
  remove(stream: string): void;
  /** Answers a list or a watch of image streams; false for any other path. */
  answer(path: string, response: ServerResponse): boolean;
}

interface StreamObject {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

const path = '/apis/image.openshift.io/v1/imagestreams';

/** No streams yet. */
export function servedStreams(): ServedStreams {
  const streams = new Map<string, StreamObject>();
  const events: { readonly version: number; readonly line: string }[] = [];
  const watches = new Set<ServerResponse>();
  let version = 1;

  function tell(type: string, object: StreamObject): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    events.push({ version, line });
    for (const watch of watches) watch.write(line);
  }

  function watched(response: ServerResponse, from: number): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    for (const event of events) if (event.version > from) response.write(event.line);
    watches.add(response);
    response.once('close', () => watches.delete(response));
  }

  return {
    name(key, specs) {
      const [namespace = '', name = ''] = key.split('/');
      version += 1;
      const metadata = { namespace, name, uid: key, resourceVersion: `${version}` };
      const tags = specs.map((spec, at) => ({
        ...{ name: `t${at}`, reference: true },
        from: { kind: 'DockerImage', name: spec },
      }));
      const created = new Date().toISOString();
      const written = tags.map(({ name: tag, from }) => ({
        tag,
        items: [{ created, image: '', dockerImageReference: from.name }],
      }));
      const stream = { kind: 'ImageStream', metadata, spec: { tags }, status: { tags: written } };
      const type = streams.has(key) ? 'MODIFIED' : 'ADDED';
      streams.set(key, stream);
      tell(type, stream);
    },
    remove(key) {
      const stream = streams.get(key);
      streams.delete(key);
      version += 1;
      if (stream !== undefined)
        tell('DELETED', { ...stream, metadata: { ...stream.metadata, resourceVersion: `${version}` } });
    },
    answer(url, response) {
      const { pathname, searchParams } = new URL(url, 'https://double');
      if (pathname !== path) return false;
      if (searchParams.get('watch') === 'true')
        watched(response, Number(searchParams.get('resourceVersion')));
      else {
        const list = { kind: 'ImageStreamList', metadata: { resourceVersion: `${version}` } };
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ ...list, items: [...streams.values()] }));
      }
      return true;
    },
  };
}
