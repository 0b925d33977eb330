import { test } from 'tap';
import { finished } from './support/run-command.ts';

test('the package holds the program and no tests, benches or sources', { timeout: 60_000 }, async (t) => {
  const project = new URL('..', import.meta.url).pathname;
  const { stdout } = await finished('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: project,
  });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path).filter((path) => !path.startsWith('dist/'));
  t.same(
    new Set(paths),
    new Set([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bin/quayside.js',
      'deploy/monitoring/rules.yaml',
      'deploy/quayside.yaml',
      'man/quayside.1',
      'package.json',
    ]),
  );
});
