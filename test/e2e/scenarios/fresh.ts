import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../fixtures/quayside.ts';
import type { Scenario } from '../scenario.ts';

const project = join(import.meta.dirname, '../../..');

/** The first minute after a clone of the project, and the commands besides `serve`. */
export const fresh: Scenario = {
  name: 'fresh',
  needs: ['curl', 'ip', 'unshare'],
  async play({ stage, fact, path }) {
    const run = (...args: string[]) =>
      stage.run(process.execPath, [command, ...args], { mayFail: true, cwd: stage.directory });

    await fact(
      'without configuration and without any network it serves on 127.0.0.1:8400 and says how to pull',
      async () => {
        const script = [
          `${path('ip')} link set lo up || exit 9`,
          `${process.execPath} ${command} serve & pid=$!`,
          `until ${path('curl')} -sS -D - http://127.0.0.1:8400/v2/; do kill -0 $pid || exit 8; sleep 0.2; done 2>&1`,
          'kill -TERM $pid; wait $pid',
        ].join('\n');
        const args = ['--net', 'sh', '-c', script];
        const { stdout, stderr, code } = await stage.run(path('unshare'), args, {
          cwd: stage.directory,
          mayFail: true,
        });
        const said = stdout + stderr;
        assert.equal(code, 0, said);
        assert.match(said, /HTTP\/1\.1 200/);
        for (const line of [
          /podman pull .*127\.0\.0\.1:8400\//,
          /docker pull 127\.0\.0\.1:8400\//,
          /curl .*127\.0\.0\.1:8400\//,
        ]) {
          assert.match(said, line);
        }
      },
    );
    await fact('version tells the version of the package', async () => {
      const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as {
        version: string;
      };
      assert.ok((await run('version')).stdout.includes(version));
    });
    await fact('--help tells every command, and each command has its own', async () => {
      const { stdout, code } = await run('--help');
      assert.equal(code, 0);
      for (const name of ['serve', 'config check', 'evict', 'version'])
        assert.ok(stdout.includes(name), name);
      for (const args of [['serve'], ['config', 'check'], ['evict'], ['version']]) {
        assert.equal((await run(...args, '--help')).code, 0, args.join(' '));
      }
    });
    await fact('an unknown command or flag is exit 2 with a hint', async () => {
      for (const args of [['sevre'], ['serve', '--cofnig', 'x']]) {
        const { code, stderr } = await run(...args);
        assert.equal(code, 2, args.join(' '));
        assert.match(stderr, /serve|--config|--help/);
      }
    });
    await fact('config check accepts the sample that the project ships', async () => {
      const { code, stderr } = await run('config', 'check', join(project, 'deploy/quayside.yaml'));
      assert.equal(code, 0, stderr);
    });
    await fact(
      'config check tells every fault at once, each with its path and line, and exits with 2',
      async () => {
        const file = join(stage.directory, 'faulty.yaml');
        await writeFile(file, 'listen: 127.0.0.1:0\nlisten_too: 1\ntags:\n  freshMs: soon\n');
        const { code, stdout, stderr } = await run('config', 'check', file);
        assert.equal(code, 2);
        assert.match(stdout + stderr, /faulty\.yaml:2: .*listen_too/);
        assert.match(stdout + stderr, /faulty\.yaml:4: .*tags\.freshMs/);
      },
    );
  },
};
