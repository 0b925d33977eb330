import { test } from 'tap';
import { RegistryError } from '../../../src/oci/errors.ts';
import { named, sentence } from '../../../src/proxy/http/sentence.ts';

const say = (message: string, reply?: { upstream: string; status: number }) =>
  named(new RegistryError('UNAVAILABLE', message, { reply }), 'quay.io').message;

test('a message names the upstream that the request went to', async (t) => {
  t.equal(say('the upstream throttles requests'), 'the upstream quay.io throttles requests');
  t.equal(say("the upstream's name is wrong"), "the upstream quay.io's name is wrong");
  t.equal(say('the repository has no such tag'), 'quay.io: the repository has no such tag');
});

test('a source that answered is named in place of the upstream that lacks the image', async (t) => {
  const reply = { upstream: 'registry.ci.openshift.org', status: 403 };
  t.equal(say('the upstream refuses', reply), 'the upstream registry.ci.openshift.org refuses');
  const cause = new RegistryError('DENIED', 'x', { reply });
  const outer = new RegistryError('UNAVAILABLE', 'the upstream cannot tell', { cause });
  t.match(named(outer, 'quay.io').message, /^the upstream registry\.ci\.openshift\.org cannot tell/);
});

test('what fails here does not look like a failure of the upstream', async (t) => {
  for (const message of ['the store is full', 'the service is shutting down']) t.equal(say(message), message);
});

test('all but the message of an error stays as it was', async (t) => {
  const facts = {
    detail: { tag: 'a' },
    headers: { 'x-a': 'b' },
    retryAfterSeconds: 7,
    retry: 'later',
    cause: new Error('below'),
  } as const;
  t.match(named(new RegistryError('TAG_INVALID', 'x', facts), 'quay.io'), { code: 'TAG_INVALID', ...facts });
});

test('a sentence is one line of ASCII below 300 characters that ends in the request id', async (t) => {
  t.equal(sentence('one\r\ntwo\u001b[2J', 'id-1'), 'one two?[2J (request id-1)');
  const long = sentence('x'.repeat(1_000), 'i'.repeat(64));
  t.equal(long.length, 299);
  t.match(long, /x\.\.\. \(request i{64}\)$/);
  t.equal(sentence('no id', undefined), 'no id');
});
