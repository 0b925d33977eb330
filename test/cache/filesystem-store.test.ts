import { join } from 'node:path';
import { filesystemStore } from '../../src/cache/filesystem-store.ts';
import { storeSuite } from './store-suite.ts';

storeSuite('filesystem', async (t) => filesystemStore({ path: join(t.testdir(), 'store') }));
