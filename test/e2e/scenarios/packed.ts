import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { hash } from 'bcryptjs';
import { freePort, until } from '../../support/program.ts';
import type { Scenario } from '../scenario.ts';

const project = join(import.meta.dirname, '../../..');
/** Registries are asked for what is not in npm's cache. */
const installMs = 240_000;

/** What `npm pack` says of a package. */
interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** The package as npm makes it, installed into an empty folder as a user would, and run there. */
export const packed: Scenario = {
  name: 'packed',
  needs: [],
  limitMs: 400_000,
  async play({ stage, fact }) {
    const folder = join(stage.directory, 'app');
    const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}` };
    const npm = (args: readonly string[], cwd: string) =>
      stage.run('npm', args, { cwd, env, timeoutMs: installMs });
    const quayside = (...args: string[]) => stage.run('npx', ['quayside', ...args], { cwd: folder, env });

    let tarball = '';
    await fact('npm pack leaves out tests, benches and sources', async () => {
      const args = ['pack', '--json', '--pack-destination', stage.directory];
      const { stdout } = await npm(args, project);
      const [{ files, filename }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [Packed];
      tarball = join(stage.directory, filename);
      const folders = new Set(files.map(({ path }) => path.split('/', 1)[0]));
      for (const other of ['test', 'bench', 'src', 'changelog', '.ci']) assert.ok(!folders.has(other), other);
      assert.ok(files.some(({ path }) => path === 'dist/main.js'));
    });
    await fact('it installs into an empty folder', async () => {
      await mkdir(folder);
      await npm(['install', '--omit=optional', '--prefer-offline', tarball], folder);
      assert.match((await quayside('version')).stdout, /^quayside \d/);
      assert.match((await quayside('mirror', '--help')).stdout, /quayside mirror/);
    });
    await fact('npx quayside serve answers, and checks a password on its thread', async () => {
      const [port, adminPort] = [await freePort(), await freePort()];
      await writeFile(join(folder, 'htpasswd'), `robot:${await hash('secret', 4)}\n`);
      const settings = {
        listen: `127.0.0.1:${port}`,
        admin: { listen: `127.0.0.1:${adminPort}` },
        store: { filesystem: { path: join(folder, 'store') } },
        hosts: { '*': { auth: 'robots', robots: { htpasswdFile: join(folder, 'htpasswd') } } },
      };
      await writeFile(join(folder, 'quayside.yaml'), JSON.stringify(settings));
      const args = ['quayside', 'serve', '--config', 'quayside.yaml'];
      const server = await stage.start('npx', args, { cwd: folder, env, name: 'packed' });
      await server.listens(port, 60_000);
      const asked = (password: string) =>
        fetch(`http://127.0.0.1:${port}/v2/auth`, {
          headers: { authorization: `Basic ${btoa(`robot:${password}`)}` },
        });
      assert.equal((await asked('secret')).status, 200);
      assert.equal((await asked('wrong')).status, 401);
      const ready = async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok;
      await until('it is ready', ready);
      for (const file of ['', 'files/main.js', 'files/console.css', 'files/lib/preact.js'])
        assert.equal((await fetch(`http://127.0.0.1:${adminPort}/console/${file}`)).status, 200, file);
      await server.stop('SIGTERM');
    });
  },
};
