import { stringify } from 'yaml';
import { locationText } from '../location.ts';
import { dockerConfigJson } from './machine-files.ts';
import type { ClientFile, MirroredSource, WantedFiles } from './wanted.ts';

const name = 'quayside';
const rbac = 'rbac.authorization.k8s.io';

/** Mirror sets, what shows a mirror the login of a pod's namespace, and that login. */
export function openshiftObjects(wanted: WantedFiles): readonly ClientFile[] {
  return [
    mirrorSet(wanted, {
      file: 'tag-mirrors',
      kind: 'ImageTagMirrorSet',
      list: 'imageTagMirrors',
      comment: `Pulls by tag: nodes ask the mirrors in their order, then the source. The machine config operator
writes this into the registries.conf of the nodes. Config and layers come from where the manifest
came from. CRI-O with the image library 5.39.3, 5.41.1 or 5.42 and their successors (May 2026; not
5.40.0, 5.41.0) takes a blob that fails from the next mirror; with an older one, such as that of
CRI-O 1.37, the pull fails and the kubelet tries again. Logins: credential-provider.yaml.`,
    }),
    mirrorSet(wanted, {
      file: 'digest-mirrors',
      kind: 'ImageDigestMirrorSet',
      list: 'imageDigestMirrors',
      comment: 'The same for pulls by digest; a reference with a tag and a digest counts as one by digest.',
    }),
    credentialProvider(wanted),
    ...authority(wanted),
    ...pullSecret(wanted, 'openshift'),
  ];
}

interface MirrorSet {
  readonly file: string;
  readonly kind: string;
  readonly list: string;
  readonly comment: string;
}

function mirrorSet({ sources }: WantedFiles, { file, kind, list, comment }: MirrorSet): ClientFile {
  const entry = ({ source, mirror, fallbacks }: MirroredSource) => ({
    source: locationText(source),
    mirrors: [mirror, ...fallbacks].map(locationText),
    mirrorSourcePolicy: 'AllowContactingSource',
  });
  const object = {
    apiVersion: 'config.openshift.io/v1',
    kind,
    metadata: { name },
    spec: { [list]: sources.map(entry) },
  };
  return { path: `openshift/${file}.yaml`, text: document(comment, object) };
}

/** The sources as `matchImages` accepts them: a path has neither dots nor capitals. */
function matchedImages({ sources }: WantedFiles): readonly string[] {
  const patterns = sources.map(({ source: { host, path } }) => {
    const components = path.split('/');
    const dotted = components.findIndex((component) => component.includes('.'));
    const matched = dotted < 0 ? components : components.slice(0, dotted);
    return [host, ...matched].filter((part) => part !== '').join('/');
  });
  return [...new Set(patterns)];
}

function credentialProvider(wanted: WantedFiles): ClientFile {
  const object = {
    apiVersion: 'config.openshift.io/v1',
    kind: 'CRIOCredentialProviderConfig',
    metadata: { name: 'cluster' },
    spec: { matchImages: matchedImages(wanted) },
  };
  return {
    path: 'openshift/credential-provider.yaml',
    text: document(
      `Nodes log in at the mirrors of these sources with the pull secrets of the pod's namespace.
Without it a mirror is shown the nodes' global pull secret alone: a pod's secret for the source is
never sent to a mirror. General in OpenShift 5.0; in 4.21, a technology preview, the apiVersion
ends in v1alpha1. There is one such object, named cluster: add matchImages to one that exists. The
kubelets restart.`,
      object,
    ),
  };
}

/** A key holds no colon: before a port there are two dots. */
function authority({ ca, host }: WantedFiles): readonly ClientFile[] {
  if (ca === undefined) return [];
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'quayside-ca', namespace: 'openshift-config' },
    data: { [host.replace(':', '..')]: ca },
  };
  const comment = `The authority that signed the certificate of ${host}, for all nodes once it is named:
oc patch image.config.openshift.io/cluster --type merge -p '{"spec":{"additionalTrustedCA":{"name":"quayside-ca"}}}'`;
  return [{ path: 'openshift/ca.yaml', text: document(comment, object) }];
}

/** The kubelet's credential provider for CRI-O, and what a namespace needs for it. */
export function kubernetesObjects(wanted: WantedFiles): readonly ClientFile[] {
  const provider = {
    apiVersion: 'kubelet.config.k8s.io/v1',
    kind: 'CredentialProviderConfig',
    providers: [
      {
        name: 'crio-credential-provider',
        matchImages: matchedImages(wanted),
        defaultCacheDuration: '1s',
        apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
        tokenAttributes: {
          serviceAccountTokenAudience: 'https://kubernetes.default.svc',
          cacheType: 'Token',
          requireServiceAccount: false,
        },
      },
    ],
  };
  const comment = `For the kubelet of a node with CRI-O: --image-credential-provider-config=this file, and
--image-credential-provider-bin-dir=the folder of crio-credential-provider. It writes the login at
the mirrors of these sources, from the pull secrets of the pod's namespace, for CRI-O.`;
  const path = 'etc/kubernetes/credential-providers/quayside.yaml';
  return [
    { path, text: document(comment, provider) },
    { path: 'kubernetes/nodes.yaml', text: nodeRights() },
    ...pullSecret(wanted, 'kubernetes'),
  ];
}

/** What OpenShift brings along. */
function nodeRights(): string {
  const role = {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'quayside-credential-providers' },
    rules: [
      { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get', 'list'] },
      {
        apiGroups: [''],
        resources: ['https://kubernetes.default.svc'],
        verbs: ['request-serviceaccounts-token-audience'],
      },
    ],
  };
  const binding = {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'quayside-credential-providers' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'quayside-credential-providers' },
    subjects: [{ apiGroup: rbac, kind: 'Group', name: 'system:nodes' }],
  };
  return document(
    'Nodes may show credential providers a token of the pod that they pull for.',
    role,
    binding,
  );
}

function pullSecret(wanted: WantedFiles, folder: string): readonly ClientFile[] {
  const config = dockerConfigJson(wanted);
  if (config === undefined || wanted.namespace === undefined) return [];
  const { host, namespace, serviceAccount } = wanted;
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  };
  const reader = `${name}-pull-secret-reader`;
  const role = {
    apiVersion: `${rbac}/v1`,
    kind: 'Role',
    metadata: { name: reader, namespace },
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] }],
  };
  const binding = {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { name: reader, namespace },
    roleRef: { apiGroup: rbac, kind: 'Role', name: reader },
    subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
  };
  const comment = `The login of a namespace at ${host}. The credential provider
lists the pull secrets of the namespace as the pod's service account, hence the role: pods of that
account can read every Secret there. A token of a service account expires: make it anew before.`;
  return [
    { path: `${folder}/pull-secret.yaml`, text: document(comment, secret, role, binding), isSecret: true },
  ];
}

/** One document for each object, with the comment above the first. */
function document(comment: string, ...objects: readonly object[]): string {
  const lines = comment.split('\n').map((line) => `# ${line}\n`);
  const options = { lineWidth: 0, singleQuote: false } as const;
  return lines.join('') + objects.map((object) => stringify(object, options)).join('---\n');
}
