/** The schema of the chart's values: those of the chart itself, and the settings as they are. */
import { fieldsOf, isObject, listOf } from '../../src/base/text/json.ts';
import { publishedSchema } from '../../src/config/schema/published.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const flag = { type: 'boolean' };
const words = { type: 'array', items: text };
/** What Kubernetes itself checks. */
const anything = { type: 'object' };
const list = { type: 'array', items: anything };
const ports = { type: 'array', items: { type: 'integer', minimum: 1, maximum: 65_535 } };
const quantity = { type: ['string', 'number'] };
const texts = { type: 'object', additionalProperties: text };

const closed = (properties: Schema): Schema => ({ type: 'object', properties, additionalProperties: false });

/** Names of volumes that the chart gives itself. */
const ownVolumes = ['checkout', 'config', 'disk', 'fleet', 'spool', 'store', 'tmp'];

const values: Schema = {
  image: closed({
    repository: { type: 'string', minLength: 1 },
    tag: text,
    digest: { type: 'string', pattern: '^(sha256:[a-f0-9]{64})?$' },
    pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
  }),
  imagePullSecrets: list,
  nameOverride: { type: 'string', pattern: '^([a-z]([-a-z0-9]*[a-z0-9])?)?$', maxLength: 53 },
  mounts: {
    type: 'object',
    propertyNames: {
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
      maxLength: 63,
      not: { enum: ownVolumes },
    },
    additionalProperties: {
      ...orNull(
        closed({
          secret: text,
          configMap: text,
          volume: anything,
          path: { type: 'string', pattern: '^/.*[^/]$' },
        }),
      ),
      oneOf: [
        { type: 'null' },
        { type: 'object', required: ['secret'] },
        { type: 'object', required: ['configMap'] },
        { type: 'object', required: ['volume'] },
      ],
    },
  },
  args: words,
  env: list,
  volumes: closed({ spool: anything, disk: anything, store: anything, tmp: anything }),
  claim: closed({ size: quantity, storageClassName: text }),
  fleet: closed({ enabled: flag, port: count, secret: text }),
  replicas: count,
  autoscaling: closed({
    enabled: flag,
    minReplicas: { type: 'integer', minimum: 1 },
    maxReplicas: { type: 'integer', minimum: 1 },
    cpuPercent: { type: 'integer', minimum: 1 },
  }),
  disruption: closed({ maxUnavailable: quantity, minAvailable: quantity }),
  spread: { enum: ['ScheduleAnyway', 'DoNotSchedule'] },
  strategy: anything,
  resources: anything,
  terminationGracePeriodSeconds: count,
  preStopSeconds: count,
  probes: closed({
    startupSeconds: { type: 'integer', minimum: 10 },
    timeoutSeconds: { type: 'integer', minimum: 1 },
    livenessFailures: { type: 'integer', minimum: 1 },
  }),
  service: closed({
    type: { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
    port: count,
    annotations: texts,
    spec: anything,
  }),
  route: closed({
    enabled: flag,
    hosts: words,
    termination: { enum: ['', 'edge', 'reencrypt', 'passthrough'] },
    timeout: text,
    annotations: texts,
  }),
  ingress: closed({ enabled: flag, className: text, hosts: words, tlsSecret: text, annotations: texts }),
  monitoring: closed({ enabled: flag, rules: flag, interval: text, labels: texts }),
  networkPolicy: closed({
    enabled: flag,
    clients: list,
    monitoring: list,
    mirror: list,
    dns: closed({ to: list, ports }),
    apiServerPorts: ports,
    registries: list,
    ports,
    ingress: list,
    egress: list,
  }),
  serviceAccount: closed({ name: text, create: flag, annotations: texts }),
  rbac: closed({ create: flag }),
  gitSync: closed({
    enabled: flag,
    image: text,
    repo: text,
    ref: text,
    root: { type: 'string', pattern: '^/.*[^/]$' },
    link: text,
    period: text,
    sizeLimit: quantity,
    resources: anything,
  }),
  prune: closed({
    enabled: flag,
    what: { enum: ['tags', 'images'] },
    targets: words,
    ttlDays: { type: 'integer', minimum: 1 },
    confirm: flag,
    every: text,
    port: count,
    schedule: text,
    tokenFile: text,
    args: words,
  }),
  podAnnotations: texts,
  podLabels: texts,
  podSecurityContext: anything,
  nodeSelector: texts,
  tolerations: list,
  affinity: anything,
  priorityClassName: text,
  podSpec: anything,
};

/** Of files with values a later one takes a setting away by null, wherever it may be absent. */
function removable(schema: Schema): Schema {
  const { properties, patternProperties } = schema;
  const required = listOf(schema['required']);
  return {
    ...schema,
    ...(isObject(properties) && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, part]) => [
          name,
          required.includes(name) ? removable(fieldsOf(part)) : orNull(removable(fieldsOf(part))),
        ]),
      ),
    }),
    ...(isObject(patternProperties) && {
      patternProperties: Object.fromEntries(
        Object.entries(patternProperties).map(([names, part]) => [names, orNull(removable(fieldsOf(part)))]),
      ),
    }),
  };
}

function orNull(schema: Schema): Schema {
  const { type, enum: words } = schema;
  if (Array.isArray(words)) return { ...schema, enum: [...words, null] };
  return typeof type === 'string' ? { ...schema, type: [type, 'null'] } : schema;
}

/** The chart fills in the address and the key of the fleet. */
function withoutFleetKeys(settings: Schema): Schema {
  const properties = fieldsOf(settings['properties']);
  const { required: _filledIn, ...fleet } = fieldsOf(properties['fleet']);
  return { ...settings, properties: { ...properties, fleet } };
}

/** What `deploy/chart/values.schema.json` holds. */
export function valuesSchema(): Schema {
  const { $schema, ...published } = publishedSchema();
  const settings = withoutFleetKeys(removable(published));
  return {
    $schema,
    title: 'Values of the chart of Quayside',
    // Helm adds `global` by itself.
    ...closed({ settings, ...values, global: anything }),
  };
}
