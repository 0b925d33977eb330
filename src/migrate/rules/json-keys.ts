/** The key of an object in JSON text: what it says, and where it stands with its quotes. */
export interface JsonKey {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** An object or a list that is open. */
interface OpenValue {
  readonly isObject: boolean;
  /** The latest key of an object. */
  key: string;
  /** Whether the next string is a key. */
  isKeyNext: boolean;
}

/** The keys of the object to which the names lead, in their order. The text is valid JSON. */
export function keysIn(text: string, names: readonly string[]): readonly JsonKey[] {
  const open: OpenValue[] = [];
  const found: JsonKey[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const top = open.at(-1);
    const mark = text[at];
    if (mark === '"') {
      const end = endOfString(text, at);
      if (top?.isKeyNext === true) {
        top.key = String(JSON.parse(text.slice(at, end)));
        top.isKeyNext = false;
        if (leadsTo(open, names)) found.push({ key: top.key, start: at, end });
      }
      at = end - 1;
    } else if (mark === '{' || mark === '[')
      open.push({ isObject: mark === '{', key: '', isKeyNext: mark === '{' });
    else if (mark === '}' || mark === ']') open.pop();
    else if (mark === ',' && top !== undefined) top.isKeyNext = top.isObject;
  }
  return found;
}

/** The JSON text with these texts in place of keys; every other character stays. */
export function withTexts(
  text: string,
  keys: readonly JsonKey[],
  texts: ReadonlyMap<JsonKey, string>,
): string {
  let from = 0;
  const parts: string[] = [];
  for (const key of keys) {
    const written = texts.get(key);
    if (written === undefined) continue;
    parts.push(text.slice(from, key.start), written);
    from = key.end;
  }
  return parts.join('') + text.slice(from);
}

function leadsTo(open: readonly OpenValue[], names: readonly string[]): boolean {
  return (
    open.length === names.length + 1 &&
    open.every(({ isObject, key }, index) => isObject && (index === names.length || key === names[index]))
  );
}

/** Behind the closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
