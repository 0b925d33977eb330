#!/usr/bin/env -S node --max-semi-space-size=8
// In the JavaScript of Node 12, so that whoever has an old one gets an answer and not a syntax error.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestNode = 24;
/** As in the first line: what many readers leave behind is collected sooner, which keeps some 40 MB out of the process. */
const youngHeap = '--max-semi-space-size=8';
const script = fileURLToPath(import.meta.url);
const project = dirname(dirname(script));
/** A checkout runs its sources. The package has them without their types, which Node does not skip below node_modules. */
const isCheckout = existsSync(join(project, 'src', 'main.ts'));
/** Where npm is to be run, and puts a Node: the checkout, or the folder that the package is installed in. */
const home = isCheckout ? project : dirname(dirname(project));
const ownNode = join(home, 'node_modules', 'node', 'bin', 'node');

/** The same command on the Node that npm put beside us, with our terminal, our signals, and our end. */
function runOnOwnNode() {
  // The channel tells the child when we are gone, even by SIGKILL.
  const child = spawn(ownNode, [youngHeap, script, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  const forward = (signal) => child.kill(signal);
  process.on('SIGTERM', forward).on('SIGINT', forward).on('SIGHUP', forward);
  child.on('error', (error) => refuse(`${ownNode} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    for (const each of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.removeListener(each, forward);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code);
  });
}

function refuse(message) {
  console.error(`quayside: ${message}`);
  process.exit(1);
}

if (Number(process.versions.node.split('.')[0]) >= oldestNode) {
  // Compiled once, not at each start: a tenth of a second or more, and 20 MB or more, less. In a directory of our own, because what stands there is run.
  module.enableCompileCache(join(project, 'node_modules', '.cache', 'compiled'));
  import(isCheckout ? '../src/main.ts' : '../dist/main.js').catch((error) => refuse(error.stack));
} else if (existsSync(ownNode)) {
  runOnOwnNode();
} else {
  refuse(
    `needs Node ${oldestNode} or newer, and this is ${process.version}.\n` +
      `Run "npm ${isCheckout ? 'ci' : 'install node@26'}" in ${home}: it brings a Node of its own (its install script must be allowed to run).`,
  );
}
