import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';
import { text } from 'node:stream/consumers';
import { LoadFailure } from '../client/failure.ts';

const timeoutMs = 10_000;

/** A small page of a program of the operator, by GET. Throws LoadFailure that names it. */
export async function pageAt(url: URL, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const get = url.protocol === 'https:' ? getTls : getPlain;
  get(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), agent: false }, (answer) => {
    text(answer).then((page) => {
      if (answer.statusCode === 200) resolve(page);
      else reject(new LoadFailure('counter', `${url.href} answered ${answer.statusCode}`));
    }, reject);
  }).once('error', (error) =>
    reject(new LoadFailure('counter', `${url.href} cannot be read: ${error.message}`, error)),
  );
  return promise;
}
