/** The `resourceAttributes` of a SubjectAccessReview (authorization.k8s.io/v1). */
export interface Question {
  readonly verb: string;
  /** API group; empty for the core one. */
  readonly group: string;
  readonly version?: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Empty for all namespaces. */
  readonly namespace: string;
  /** Absent for every name. */
  readonly name?: string;
}

/** The `nonResourceAttributes` of a SubjectAccessReview on a path. */
export interface PathQuestion {
  readonly verb: string;
  readonly path: string;
}

/**
 * The question in the words of kubectl, for logs, messages and as a key: `get
 * imagestreams.image.openshift.io/layers cli -n ocp`. `kubectl auth can-i` does not parse it.
 */
export function questionText({ verb, group, resource, subresource, namespace, name }: Question): string {
  const kind = `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  return `${verb} ${kind}${name === undefined ? '' : ` ${name}`} ${namespace === '' ? '--all-namespaces' : `-n ${namespace}`}`;
}
