import type { Access } from '../auth/access.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Case, RoutedCase } from './case.ts';
import { imageText } from './input.ts';
import type { RoutedImage } from './sources.ts';
import { type Finding, untold } from './step.ts';

const logInAgain = {
  steps: ['log in again at this host; the token of a cluster is that of oc whoami -t'],
  who: 'the user, or the owner of the pull secret',
};

/** Where the request goes: host, login, upstream. The route is absent where there is none. */
export function routeStep({ sources, image, host, subject, loginRefused }: Case): {
  readonly finding: Finding;
  readonly routed?: RoutedImage;
} {
  const where = 'hosts and upstreams of the configuration';
  try {
    const routed = sources.route(image, host);
    const { auth, access, upstream, repository } = routed;
    const login =
      auth === 'none' ? 'no login' : `login by ${auth}${access === undefined ? '' : `, rules ${access}`}`;
    const lines = [`host ${routed.host} (${login}): upstream ${upstream}, repository ${repository}`];
    if (auth === 'robots')
      lines.push('robots of that host may pull everything; a user of a cluster has no login there');
    if (auth !== 'none' && subject === undefined) lines.push('who pulls was not said: --as USER');
    if (loginRefused !== undefined)
      return {
        routed,
        finding: {
          mark: 'wrong',
          found: [`the login was refused: ${loginRefused}`, ...lines],
          where,
          next: logInAgain,
        },
      };
    return { finding: { mark: 'ok', found: lines, where }, routed };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const next = {
      steps: [
        'correct the reference in the client, or add the host, upstream or repository to the configuration',
      ],
      who: 'the author of the reference; for the configuration, an operator of Quayside',
    };
    return { finding: { mark: 'wrong', found: [`${imageText(image)}: ${error.message}`], where, next } };
  }
}

/** Whether the subject may pull it; `allowed` is absent where that is not known. */
export interface RightsFinding {
  readonly finding: Finding;
  readonly allowed?: boolean;
}

/** Rule, question and verdict, with what would help. */
export async function rightsStep(routed: RoutedCase): Promise<RightsFinding> {
  const { routed: route, subject, sources, decidedThen, viewer } = routed;
  if (route.auth === 'none')
    return {
      allowed: true,
      finding: { mark: 'ok', found: [`host ${route.host} asks for no login: all may pull`] },
    };
  if (decidedThen !== undefined && subject === undefined) return decidedBefore(decidedThen);
  if (subject === undefined) return { finding: untold('no user was named: --as USER, with --groups A,B') };
  if (route.auth === 'robots')
    return {
      finding: untold(`host ${route.host} knows robots alone, and ${subject.name} is a user of a cluster`),
    };
  if (sources.rights === undefined) return { finding: untold('the cluster cannot be asked from here') };
  const { place, reference } = routed;
  const access: Access = { ...place, action: 'pull', reference };
  const { decision, because } = await sources.rights.decide(route.host, subject, access);
  const { allowed, rule, question, reason, cluster, isRemembered } = decision;
  const lines = [
    `${subject.name} ${allowed ? 'may' : 'may not'} pull it`,
    ...(rule === undefined ? [] : [`rule: ${rule}`]),
    ...(question === undefined ? [] : [`question: ${question}`]),
    ...(reason === undefined ? [] : [reason]),
    ...(because === undefined ? [] : [`the cluster says: ${because}`]),
  ];
  const name = cluster ?? subject.cluster;
  return {
    allowed,
    finding: {
      mark: allowed ? 'ok' : 'wrong',
      found: lines,
      where: `cluster ${name ?? 'none'}${viewer === 'operator' ? askedText(isRemembered) : ''}`,
      ...(allowed ? {} : { next: bindingFor(question, subject.name, name) }),
    },
  };
}

/** Not for the subject itself: what others asked is none of its business. */
function askedText(isRemembered: boolean | undefined): string {
  return isRemembered === true ? ', answer remembered' : ', asked now';
}

function decidedBefore(then: NonNullable<RoutedCase['decidedThen']>): RightsFinding {
  const { allowed, rule, question, reason, at, subject = 'the user' } = then;
  return {
    allowed,
    finding: {
      mark: allowed ? 'ok' : 'wrong',
      found: [
        allowed
          ? `${subject} was allowed to pull it`
          : `${subject} was refused: ${question ?? `rule ${rule}`}`,
        ...(rule === undefined ? [] : [`rule: ${rule}`]),
        ...(reason === undefined ? [] : [reason]),
      ],
      where: 'the request itself',
      at,
      ...(allowed ? {} : { next: bindingFor(question, then.subject, then.cluster) }),
    },
  };
}

const streamQuestion =
  /^get imagestreams\.image\.openshift\.io\/layers(?: (\S+))? (?:-n (\S+)|--all-namespaces)/;

/** The RoleBinding that would make the answer a yes. */
function bindingFor(
  question: string | undefined,
  user: string | undefined,
  cluster: string | undefined,
): NonNullable<Finding['next']> {
  const who = `an administrator of the namespace on cluster ${cluster ?? 'of the host'}`;
  const [, , namespace] = streamQuestion.exec(question ?? '') ?? [];
  if (question === undefined)
    return { steps: ['no rule allows it: change the rules of the host'], who: 'an operator of Quayside' };
  if (namespace === undefined)
    return {
      steps: [`grant the right to: ${question}`],
      who: `an administrator of cluster ${cluster ?? 'of the host'}`,
    };
  const subject = subjectFlag(user ?? 'USER');
  return {
    steps: [
      `oc -n ${namespace} create rolebinding quayside-pull --clusterrole system:image-puller ${subject}`,
    ],
    who,
  };
}

function subjectFlag(user: string): string {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace === undefined
    ? `--user '${user.replaceAll("'", '')}'`
    : `--serviceaccount ${namespace}:${name}`;
}
