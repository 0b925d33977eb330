import { test } from 'tap';
import { mappingRules } from '../../../src/migrate/rules/mapping-rules.ts';
import { parsePlaceRule } from '../../../src/migrate/rules/place-rules.ts';
import { createReferenceRules } from '../../../src/migrate/rules/rules.ts';
import { MappingError, parseMappingFile } from '../../../src/mirror/batch/mapping.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const other = `sha256:${'cd'.repeat(32)}`;
const words = (...rules: readonly string[]) => createReferenceRules(rules.map(parsePlaceRule));
const lines = (text: string) => createReferenceRules(mappingRules(parseMappingFile('map', text).mappings));

function faultOf(make: () => unknown): string {
  try {
    make();
    return 'no fault';
  } catch (error) {
    if (error instanceof MappingError) return error.message;
    throw error;
  }
}

test('a word replaces registry, name or both, and keeps tag and digest', async (t) => {
  const { reference } = words('old.test/*=new.test/*', 'third.test:5000/team/app=*/team/web');
  t.equal(reference('old.test/team/app:v1'), 'new.test/team/app:v1');
  t.equal(reference(`old.test/app@${digest}`), `new.test/app@${digest}`);
  t.equal(reference(`old.test/app:v1@${digest}`), `new.test/app:v1@${digest}`);
  t.equal(reference('old.test/app'), 'new.test/app');
  t.equal(reference('third.test:5000/team/app:v1'), 'third.test:5000/team/web:v1');
  for (const text of [
    'older.test/app:v1',
    'third.test:5000/team/app2',
    'old.test',
    '',
    ' old.test/app',
    'old.test/App',
  ])
    t.equal(reference(text), text);
});

test('docker.io is also what names no registry, and short names are told in full', async (t) => {
  const { reference } = words('docker.io/library/alpine=new.test/base/alpine', 'docker.io/*=new.test/*');
  t.equal(reference('alpine:3'), 'new.test/base/alpine:3');
  t.equal(reference('index.docker.io/library/alpine'), 'new.test/base/alpine');
  t.equal(reference('busybox'), 'new.test/library/busybox');
  t.equal(reference('team/app:v1'), 'new.test/team/app:v1');
  t.equal(words('docker.io/alpine=new.test/a').reference('alpine'), 'new.test/a');
});

test('names may be put below another name, and taken from below one', async (t) => {
  const below = words('quay.io/*=proxy.test/quay.io/*', '*/team/*=new.test/*');
  t.equal(below.reference('quay.io/openshift/ci:v1'), 'proxy.test/quay.io/openshift/ci:v1');
  t.equal(below.reference('a.test/team/app'), 'new.test/team/app');
  const moved = words('*/team/*=new.test/people/*');
  t.equal(moved.reference('a.test/team/x/y:v1'), 'new.test/people/x/y:v1');
  t.equal(moved.reference('a.test/teams/x:v1'), 'a.test/teams/x:v1');
});

test('the first word that fits counts, also when it changes nothing', async (t) => {
  const { reference } = words('old.test/keep=old.test:443/keep', 'old.test/*=new.test/*');
  t.equal(reference('old.test/keep:v1'), 'old.test:443/keep:v1');
  t.equal(reference('old.test/other:v1'), 'new.test/other:v1');
});

test('words that cannot be meant are refused as by oc adm migrate', async (t) => {
  const faults: Readonly<Record<string, string>> = {
    'a.test/b': 'all arguments must be valid FROM=TO mappings',
    'a.test=b.test':
      "all arguments must be of the form REGISTRY/NAME=REGISTRY/NAME, where registry or name may be '*' or a value",
    '/a=b.test/a': `"/a" is not a valid source: registry must be specified (may be '*')`,
    'a.test/=b.test/a': `"a.test/" is not a valid source: name must be specified (may be '*')`,
    'a.test/a=/a': `"/a" is not a valid target: registry must be specified (may be '*')`,
    'a.test/a=b.test/': `"b.test/" is not a valid target: name must be specified (may be '*')`,
    'a.test/a=*/*': '"*/*" is not a valid target: at least one change must be specified',
    'a.test/a=a.test/a': '"a.test/a" is not valid: must target at least one field to change',
    'a.test/a:v1=b.test/a': '"a.test/a:v1" is not a valid source: name has neither tag nor digest',
    'a.test/a*=b.test/a': `"a.test/a*" is not a valid source: '*' stands alone, or at the end as in team/*`,
    'a.test/a=b.test/c/*': `"b.test/c/*" is not a valid target: /* needs a '*' on the left, which says what follows`,
    'a.test/a=mirror/a':
      '"mirror/a" is not a valid target: mirror is no registry for clients: it has no dot and no port, and is not localhost',
  };
  for (const [word, message] of Object.entries(faults))
    t.equal(
      faultOf(() => parsePlaceRule(word)),
      message,
    );
});

test('mappings whose second run would change what the first one made are refused', async (t) => {
  t.match(
    faultOf(() => words('a.test/*=b.test/*', 'b.test/*=a.test/*')),
    /lead on: a\.test\/any\/name becomes/,
  );
  t.match(
    faultOf(() => words('*/*=new.test/all/*')),
    /lead on/,
  );
  t.match(
    faultOf(() => lines('a.test/x:1=b.test/x:1\nb.test/x:1=c.test/x:1')),
    /lead on/,
  );
  t.equal(
    faultOf(() => words('*/*=new.test/*')),
    'no fault',
  );
});

test('a line for a tag moves that tag, with the tag of its destination', async (t) => {
  const { reference, isPinned } = lines(
    'old.test/team/app:v1=new.test/app:one\nold.test/team/app:v2 new.test/app second.test/app\nold.test/tool:latest=new.test/tool:latest',
  );
  t.equal(reference('old.test/team/app:v1'), 'new.test/app:one');
  t.equal(reference('old.test/team/app:v2'), 'new.test/app:v2');
  t.equal(reference('old.test/team/app:v3'), 'old.test/team/app:v3');
  t.equal(reference('old.test/tool'), 'new.test/tool');
  t.equal(reference(`old.test/team/app@${digest}`), `old.test/team/app@${digest}`);
  t.equal(reference(`old.test/team/app:v1@${digest}`), `old.test/team/app:v1@${digest}`);
  t.ok(isPinned(`old.test/team/app:v1@${digest}`));
  t.notOk(isPinned('old.test/team/app:v3'));
});

test('a line for a digest moves that digest, one for a repository all of it', async (t) => {
  const { reference } = lines(`old.test/app@${digest}=new.test/app:v1\nold.test/all=new.test/all`);
  t.equal(reference(`old.test/app@${digest}`), `new.test/app@${digest}`);
  t.equal(reference(`old.test/app:v9@${digest}`), `new.test/app:v9@${digest}`);
  t.equal(reference(`old.test/app@${other}`), `old.test/app@${other}`);
  t.equal(reference('old.test/app:v1'), 'old.test/app:v1');
  t.equal(reference(`old.test/all:x@${other}`), `new.test/all:x@${other}`);
});

test('a glob moves the tags that it matches, and takes its prefix off for DST:*', async (t) => {
  const { reference } = lines('old.test/flat:ocp_*=new.test/ocp:*\nold.test/app:v*=new.test/app');
  t.equal(reference('old.test/flat:ocp_4.20_cli'), 'new.test/ocp:4.20_cli');
  t.equal(reference('old.test/flat:ocp_'), 'old.test/flat:ocp_');
  t.equal(reference('old.test/flat:ci_x'), 'old.test/flat:ci_x');
  for (const tag of ['ocp_4.20_cli__pre', 'ocp_-x'])
    t.equal(reference(`old.test/flat:${tag}`), `old.test/flat:${tag}`, 'the mirror does not copy it');
  t.equal(reference('old.test/app:v1'), 'new.test/app:v1');
});

test('a reference is compared with the lines of its repository alone', async (t) => {
  const text = Array.from({ length: 1000 }, (_, line) => `old.test/a${line}:v1=new.test/a:${line}`).join(
    '\n',
  );
  const compared: string[] = [];
  const counted = mappingRules(parseMappingFile('map', text).mappings).map((rule) => ({
    ...rule,
    image: (image: Parameters<typeof rule.image>[0]) => {
      compared.push(rule.sample);
      return rule.image(image);
    },
  }));
  const { reference } = createReferenceRules(counted);
  compared.length = 0;
  t.equal(reference('old.test/a7:v1'), 'new.test/a:7');
  t.equal(reference('old.test/other:v1'), 'old.test/other:v1');
  t.same(compared, ['old.test/a7:v1']);
});

test('lines from and to disks are no rules', async (t) => {
  const { mappings } = parseMappingFile(
    'map',
    'file://app:v1=new.test/app:v1\nold.test/app:v1=file://app:v1',
  );
  t.same(mappingRules(mappings), []);
});

test('logins move as their registry does, written as host or host/name', async (t) => {
  const { login } = words(
    'old.test/*=new.test/*',
    'third.test/team=new.test/people',
    'docker.io/*=hub.test/*',
  );
  t.equal(login('old.test'), 'new.test');
  t.equal(login('https://old.test/v2/'), 'new.test');
  t.equal(login('https://old.test/v1/team'), 'new.test/team');
  t.equal(login('http://old.test/team/app'), 'new.test/team/app');
  t.equal(login('third.test/team'), 'new.test/people');
  t.equal(login('third.test'), 'third.test');
  t.equal(login('https://index.docker.io/v1/'), 'hub.test');
  t.equal(login(''), 'hub.test');
  t.equal(login('docker.io'), 'hub.test');
  t.equal(words('old.test/*=docker.io/*').login('old.test'), 'https://index.docker.io/v1/');
  t.equal(lines('old.test/app:v1=new.test/app:v1').login('old.test'), 'old.test');
  t.equal(lines('old.test/app=new.test/app').login('old.test/app'), 'new.test/app');
});
