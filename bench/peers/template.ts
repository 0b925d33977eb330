import { readFile } from 'node:fs/promises';

/** Words of lines that stand in some variants only. */
export type VariantWord = 'filesystem' | 's3' | 'disk' | 'plain' | 'tls' | 'login' | 'root';

const condition = / *# only: (\w+)$/;

/**
 * The configuration file of a peer: `{{name}}` becomes its value, and lines that end in
 * `# only: WORD` stand where the variant has that word. Throws for a name without a value.
 */
export async function filled(
  file: string,
  values: Readonly<Record<string, string>>,
  variant: ReadonlySet<VariantWord>,
): Promise<string> {
  const text = await readFile(new URL(file, import.meta.url), 'utf8');
  const words: ReadonlySet<string> = variant;
  const lines = text.split('\n').flatMap((line) => {
    const word = condition.exec(line)?.[1];
    return word === undefined || words.has(word) ? [line.replace(condition, '')] : [];
  });
  return lines.join('\n').replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`${file}: {{${name}}} has no value`);
    return value;
  });
}
