/** Rendered objects, read as what a cluster would make of them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Fields, field, fieldsOf, isObject, listOf } from '../../src/base/text/json.ts';
import type { Config } from '../../src/config/config.ts';
import { load } from '../../src/config/load.ts';
import { type Case, kustomization, output } from './cases.ts';

/** What is at a path of keys and positions; undefined where there is nothing. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce(field, value);
}

/** All objects of a case. */
export class Rendered {
  readonly one: Case;
  readonly #objects: readonly Fields[];

  constructor(one: Case, objects: readonly Fields[]) {
    this.one = one;
    this.#objects = objects;
  }

  static async of(one: Case): Promise<Rendered> {
    const folder = join(output, one.name);
    const names = (await readdir(folder)).filter((name) => name !== kustomization);
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
    const documents = texts.flatMap((text) => [...parseAllDocuments(text)]);
    return new Rendered(
      one,
      documents.map((document) => fieldsOf(document.toJS())),
    );
  }

  get all(): readonly Fields[] {
    return this.#objects;
  }

  /** Those of a kind. */
  of(kind: string): readonly Fields[] {
    return this.#objects.filter((object) => object['kind'] === kind);
  }

  /** The only one of a kind, or the one whose name ends so. */
  the(kind: string, suffix = ''): Fields {
    const [found, other] = this.of(kind).filter((object) =>
      String(at(object, 'metadata', 'name')).endsWith(suffix),
    );
    if (found === undefined || other !== undefined)
      throw new Error(`${this.one.name}: not one ${kind} that ends in "${suffix}"`);
    return found;
  }

  /** Of the Deployment, or of the jobs of the CronJob. */
  get template(): Fields {
    const [nightly] = this.of('CronJob');
    return fieldsOf(
      nightly === undefined
        ? at(this.the('Deployment'), 'spec', 'template')
        : at(nightly, 'spec', 'jobTemplate', 'spec', 'template'),
    );
  }

  get pod(): Fields {
    return fieldsOf(this.template['spec']);
  }

  get container(): Fields {
    return fieldsOf(at(this.pod, 'containers', 0));
  }

  get labels(): Fields {
    return fieldsOf(at(this.template, 'metadata', 'labels'));
  }

  /** Where the container has its volumes. */
  get mounts(): readonly string[] {
    return listOf(this.container['volumeMounts']).map((mount) => String(field(mount, 'mountPath')));
  }

  /** The ports of the container, by name. */
  get ports(): ReadonlyMap<string, number> {
    return new Map(
      listOf(this.container['ports']).map((port) => [
        String(field(port, 'name')),
        Number(field(port, 'containerPort')),
      ]),
    );
  }

  get settingsText(): string {
    const maps = this.of('ConfigMap').flatMap((map) => at(map, 'data', 'quayside.yaml') ?? []);
    return String(maps[0]);
  }

  get config(): Config {
    return load(this.settingsText, {});
  }

  /** What the NetworkPolicy lets in, by port: who, undefined for everybody. */
  get letIn(): ReadonlyMap<number, unknown> {
    const rules = listOf(at(this.the('NetworkPolicy'), 'spec', 'ingress'));
    return new Map(
      rules.flatMap((rule) =>
        listOf(field(rule, 'ports')).map((port) => [Number(field(port, 'port')), field(rule, 'from')]),
      ),
    );
  }

  /** The ports to which it lets out, over TCP. */
  get letOut(): ReadonlySet<number> {
    const rules = listOf(at(this.the('NetworkPolicy'), 'spec', 'egress'));
    const ports = rules.flatMap((rule) => listOf(field(rule, 'ports')));
    return new Set(
      ports.filter((port) => field(port, 'protocol') !== 'UDP').map((port) => Number(field(port, 'port'))),
    );
  }
}

/** Every file that settings name. */
export function filesIn(value: unknown): string[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key.endsWith('Files') && Array.isArray(inner)) return inner.map(String);
    return key.endsWith('File') ? [String(inner)] : filesIn(inner);
  });
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
