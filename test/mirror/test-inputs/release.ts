/** Files of a small openshift/release, as `t.testdir` takes them. */
export function releaseFiles(
  configs: Readonly<Record<string, string>>,
  steps: Readonly<Record<string, string>> = {},
) {
  return {
    'ci-operator': {
      config: { openshift: { thing: configs } },
      'step-registry': { OWNERS: 'a', e2e: steps },
    },
  };
}

/** A reference to an image as configurations write it: `image('ocp/4.20:cli')`. */
export function image(key: string): string {
  const [, namespace, name, tag] = /^(.+)\/(.+):(.+)$/.exec(key) ?? [];
  return `{namespace: ${namespace}, name: "${name}", tag: "${tag}"}`;
}
