import { type FileFault, MirrorConfigError, type Path, parseLocatedYaml } from './located-yaml.ts';

/**
 * What `read` makes of the file's content, packed by gzip or not. Throws `MirrorConfigError` with
 * everything that `read` refused, in the order of the file's lines.
 */
export function strictlyRead<T>(file: Uint8Array, read: (whole: Part) => T): T {
  const { data, lineOf } = parseLocatedYaml(file);
  const faults: FileFault[] = [];
  const refuse = (path: Path, message: string): void => {
    const line = path.length === 0 ? undefined : lineOf(path);
    faults.push({ ...(line === undefined ? {} : { line }), message });
  };
  const found = read(new Part({ value: data, name: '', path: [], refuse }));
  if (faults.length > 0)
    throw new MirrorConfigError(faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)));
  return found;
}

interface PartOptions {
  readonly value: unknown;
  /** For messages. */
  readonly name: string;
  readonly path: Path;
  readonly refuse: (path: Path, message: string) => void;
}

/** A part of the file with its place. A missing value is a fault, and reading continues. */
export class Part {
  readonly #options: PartOptions;

  constructor(options: PartOptions) {
    this.#options = options;
  }

  /** What it holds, as data. */
  get value(): unknown {
    return this.#options.value;
  }

  /** Says that the part is wrong. */
  refuse(message: string): void {
    const { name, path, refuse } = this.#options;
    refuse(path, name === '' ? message : `${name}: ${message}`);
  }

  /** Says that the part is wrong, in words that name it themselves. */
  refuseAs(message: string): void {
    this.#options.refuse(this.#options.path, message);
  }

  /** The values of a map's keys, in any case; `null` counts as absent. Named by their key. */
  fields<Key extends string>(keys: readonly Key[]): { readonly [Each in Key]?: Part } {
    const found: { [Each in Key]?: Part } = {};
    for (const [written, part] of this.entries()) {
      const key = keys.find((each) => each.toLowerCase() === written.toLowerCase());
      if (key === undefined) this.#refuseAt(written, `unknown field ${JSON.stringify(written)}`);
      else if (found[key] !== undefined)
        this.#refuseAt(written, `key ${JSON.stringify(written)} already set`);
      else if (part.value !== null) found[key] = part;
    }
    return found;
  }

  /** The same where each value is a text; an empty one counts as absent. */
  texts<Key extends string>(keys: readonly Key[]): { readonly [Each in Key]?: string } {
    const texts: { [Each in Key]?: string } = {};
    for (const [key, part] of Object.entries<Part | undefined>(this.fields(keys))) {
      const value = part?.value;
      const wanted = keys.find((each) => each === key);
      if (wanted === undefined || value === '') continue;
      if (typeof value === 'string') texts[wanted] = value;
      else this.#refuseAt(key, `${key} must be text`);
    }
    return texts;
  }

  /** What a map holds, each under its own name; nothing where there is none. */
  entries(): [key: string, part: Part][] {
    const { value } = this.#options;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return Object.entries(value).map(([key, inner]) => [key, this.#inner(key, inner, key)]);
    }
    if (value !== undefined && value !== null) this.refuse('must be a map');
    return [];
  }

  /** What a list holds, under the list's name; nothing where there is none. */
  items(): readonly Part[] {
    const { value, name } = this.#options;
    if (Array.isArray(value)) return value.map((inner, index) => this.#inner(index, inner, name));
    if (value !== undefined && value !== null) this.refuse('must be a list');
    return [];
  }

  /** The same part under another name. */
  named(name: string): Part {
    return new Part({ ...this.#options, name });
  }

  #inner(step: string | number, value: unknown, name: string): Part {
    const { path, refuse } = this.#options;
    return new Part({ value, name, path: [...path, step], refuse });
  }

  #refuseAt(key: string, message: string): void {
    const { name, path, refuse } = this.#options;
    refuse([...path, key], name === '' ? message : `${name}: ${message}`);
  }
}
