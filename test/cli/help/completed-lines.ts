/** What stands behind `quayside ` as Tab is pressed among files, and what is offered. */
export const completedLines: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ['ser', ['serve']],
  ['hel', ['help']],
  ['help ser', ['serve']],
  ['help config ', ['check', 'schema']],
  ['config ', ['check', 'schema']],
  ['mirror ve', ['verify']],
  ['mirror --dry', ['--dry-run']],
  ['mirror verify --dee', ['--deep']],
  ['mirror --confirm settings.yaml --dry', ['--dry-run']],
  ['evict --c', ['--config']],
  ['evict --config set', ['settings.yaml']],
  ['evict --config=two', ['two words.yaml']],
  ['evict --output ', ['text', 'json']],
  ['evict --output=', ['text', 'json']],
  ['evict -o j', ['json']],
  ['clients generate --dir ', ['sub']],
  ['clients generate --for cri', ['cri-o']],
  ['clients generate --host ', []],
  ['config check sett', ['settings.yaml']],
  ['completion z', ['zsh']],
  ['proxy --tls-', ['--tls-cert-file', '--tls-key-file']],
];

/** Of that folder. */
export const filesBeside = ['settings.yaml', 'two words.yaml', 'sub/a.txt'] as const;
