import { field } from '../../../base/text/json.ts';
import type { Subject } from '../../access.ts';

const prefix = 'authentication.kubernetes.io';

/** Where each part of the subject's `extra` stands in the claim `kubernetes.io`. */
const bindings: readonly (readonly [name: string, kind: string, part: string])[] = [
  ['pod-name', 'pod', 'name'],
  ['pod-uid', 'pod', 'uid'],
  ['node-name', 'node', 'name'],
  ['node-uid', 'node', 'uid'],
];

/**
 * The subject that the API server would return for the verified claims of a bound token, so that
 * rights are remembered for both; undefined for claims that it would not write.
 */
export function claimedSubject(claims: object, cluster: string): Subject | undefined {
  const own = field(claims, 'kubernetes.io');
  const namespace = field(own, 'namespace');
  const account = field(own, 'serviceaccount');
  const uid = field(account, 'uid');
  const name = `system:serviceaccount:${namespace}:${field(account, 'name')}`;
  if (typeof uid !== 'string' || field(claims, 'sub') !== name) return undefined;
  return {
    name,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    uid,
    extra: extraOf(own, field(claims, 'jti')),
    cluster,
  };
}

function extraOf(own: unknown, id: unknown): Readonly<Record<string, readonly string[]>> {
  const bound = bindings.flatMap(([name, kind, part]) => {
    const value = field(field(own, kind), part);
    return typeof value === 'string' ? [[`${prefix}/${name}`, [value]] as const] : [];
  });
  const credential = typeof id === 'string' ? [[`${prefix}/credential-id`, [`JTI=${id}`]] as const] : [];
  return Object.fromEntries([...credential, ...bound]);
}
