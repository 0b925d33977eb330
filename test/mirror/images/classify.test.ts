import { test } from 'tap';
import { mayPass } from '../../../src/base/time/retry.ts';
import { destinationFailure, sourceFailure } from '../../../src/mirror/images/classify.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { parseRepository } from '../../../src/oci/reference.ts';

const digest = digestOf(Buffer.from('x'));
const subject = {
  kind: 'blob',
  reference: digest,
  registry: 'file:///media/stick',
  repository: parseRepository('team/app'),
} as const;

function failed(code: string) {
  const cause = Object.assign(new Error('write failed'), { code });
  return destinationFailure(
    new RegistryError('UNAVAILABLE', 'the directory has no room', { cause }),
    subject,
  );
}

test('a disk that is full is written to no more, and says so', async (t) => {
  for (const code of ['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']) t.equal(failed(code).retry, 'never', code);
  t.equal(
    failed('ENOSPC').message,
    `blob ${digest} of file:///media/stick/team/app: the directory has no room: free space, or use another directory`,
  );
});

test('a destination that cannot be reached may recover', async (t) => {
  t.equal(mayPass(failed('ECONNREFUSED')), true);
});

test('a refusal that is taken for trouble of the registry is tried again, whatever its status', async (t) => {
  for (const code of [
    'BLOB_UPLOAD_INVALID',
    'BLOB_UPLOAD_UNKNOWN',
    'DIGEST_INVALID',
    'RANGE_INVALID',
    'SIZE_INVALID',
  ] as const) {
    const refused = destinationFailure(new RegistryError(code, 'refused'), subject);
    t.match(refused, { kind: 'unavailable', retry: 'now' }, code);
  }
  const usedUp = new RegistryError('DIGEST_INVALID', 'refused', { retry: 'later' });
  t.equal(destinationFailure(usedUp, subject).retry, 'later');
  t.equal(sourceFailure(new RegistryError('RANGE_INVALID', 'refused'), subject).retry, 'now');
});

test('a destination that throttles is never told as a source', async (t) => {
  const error = new RegistryError('TOOMANYREQUESTS', 'the upstream throttles requests');
  for (const isSchema1 of [false, true]) {
    const { kind, message } = destinationFailure(error, { ...subject, kind: 'manifest', isSchema1 });
    t.equal(kind, 'throttled');
    t.match(message, new RegExp(`^manifest ${digest} of `));
  }
  const { message } = sourceFailure(error, subject);
  t.match(message, new RegExp(`^failed to retrieve blob ${digest} of `));
});
