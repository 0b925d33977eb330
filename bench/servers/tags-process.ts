/** A registry that has nothing but one repository of many tags; lists are whole or in pages. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerQuestions } from './worker.ts';

export interface TagsQuestion {
  readonly tags: number;
}

export interface TagsAnswer {
  readonly origin: string;
}

answerQuestions(async ({ tags }: TagsQuestion): Promise<TagsAnswer> => {
  const name = 'bench/many';
  const all = Array.from({ length: tags }, (_, index) => `tag-${String(index).padStart(7, '0')}`);
  const whole = JSON.stringify({ name, tags: all });
  const server = createServer(({ url = '/' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://registry');
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    response.setHeader('content-type', 'application/json');
    if (pathname === '/v2/') response.end('{}');
    else if (pathname !== `/v2/${name}/tags/list`) response.writeHead(404).end('{"errors":[]}');
    else {
      const limit = Number(searchParams.get('n') ?? tags);
      const last = searchParams.get('last');
      const from = last === null ? 0 : all.findIndex((tag) => tag > last);
      const page = from < 0 ? [] : all.slice(from, from + limit);
      const isLast = from < 0 || from + limit >= tags;
      if (!isLast)
        response.setHeader('link', `</v2/${name}/tags/list?n=${limit}&last=${page.at(-1)}>; rel="next"`);
      response.end(page.length === tags ? whole : JSON.stringify({ name, tags: page }));
    }
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
});
