import { test } from 'tap';
import { createAnswers } from '../../src/app/explain/answers.ts';
import type { ExplainSources } from '../../src/explain/sources.ts';
import { createReadings } from '../../src/image-streams/flat-tags.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import type { FailedRequest } from '../../src/proxy/http/recent-failures.ts';

const id = 'h0Ws3kdQ-2f';
const request: FailedRequest = {
  id,
  at: 0,
  method: 'GET',
  path: '/v2/team/app/manifests/v1',
  host: 'ci.example.com',
  status: 403,
  error: 'DENIED',
  message: 'no',
  subject: 'ann',
  cluster: 'app.ci',
};

/** Looks nowhere: a request that may be seen ends at its route. */
const sources = {
  route() {
    throw new RegistryError('NAME_UNKNOWN', 'no route');
  },
  now: () => 0,
} as unknown as ExplainSources;

function asked(of: Partial<FailedRequest>, subject?: { readonly name: string; readonly cluster?: string }) {
  const remembered = { ...request, ...of };
  const answers = createAnswers({
    sources,
    readings: createReadings(),
    requests: { find: (wanted) => (wanted === id ? remembered : undefined) },
  });
  const viewer = subject === undefined ? 'operator' : 'subject';
  return answers.explain({ input: id }, { viewer, ...(subject && { subject: { groups: [], ...subject } }) });
}

test('operators and the subject itself see a request', async (t) => {
  for (const found of [await asked({}), await asked({}, { name: 'ann', cluster: 'app.ci' })])
    t.match(found.notes[0], `request ${id}`);
});

for (const [who, of, subject] of [
  ['another user', {}, { name: 'bob', cluster: 'app.ci' }],
  ['the user of that name at another cluster', {}, { name: 'ann', cluster: 'build01' }],
  ['a robot of that name', {}, { name: 'ann' }],
  [
    'a user, of the request of a robot of that name,',
    { cluster: undefined },
    { name: 'ann', cluster: 'app.ci' },
  ],
  [
    'a user named anonymous, of a request without a login,',
    { subject: 'anonymous', cluster: undefined },
    { name: 'anonymous', cluster: 'app.ci' },
  ],
] as const)
  test(`${who} does not see it, in the words for one that does not exist`, async (t) => {
    await t.rejects(asked(of as Partial<FailedRequest>, subject), {
      code: 'MANIFEST_UNKNOWN',
      message: /no request of yours/,
    });
  });
