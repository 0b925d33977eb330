/** One record of a trace and its number, from 1: of the line, or of the object in a list. */
export interface TraceRecord {
  readonly number: number;
  readonly text: string;
}

/** Cuts text that comes in pieces into records. */
export interface Splitter {
  push(text: string): readonly TraceRecord[];
  /** What is left when the text is over. */
  end(): readonly TraceRecord[];
}

/** Longer ones are cut here, so that memory does not depend on the file; characters. */
const longestRecord = 64 * 1024;

/** A record for each line that is not empty. */
export class LineSplitter implements Splitter {
  #rest = '';
  #number = 0;

  push(text: string): readonly TraceRecord[] {
    const lines = (this.#rest + text).split('\n');
    const rest = lines.pop() ?? '';
    const records = lines.flatMap((line) => this.#record(line));
    this.#rest = rest.slice(0, longestRecord);
    return records;
  }

  end(): readonly TraceRecord[] {
    const rest = this.#rest;
    this.#rest = '';
    return this.#record(rest);
  }

  #record(line: string): readonly TraceRecord[] {
    this.#number += 1;
    const text = line.slice(0, longestRecord).trim();
    return text === '' ? [] : [{ number: this.#number, text }];
  }
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const newline = 0x0a;
const separators = ' \t\r\n,[]';

/**
 * A record for each object of a JSON list, or of objects one after the other on any number of
 * lines. What stands between objects and is none is a record of its own. After a record that is too
 * long, the next line is new.
 */
export class ObjectSplitter implements Splitter {
  #text = '';
  #number = 0;
  #state: 'between' | 'object' | 'text' | 'escape' | 'garbage' | 'skipped' = 'between';
  #depth = 0;

  push(text: string): readonly TraceRecord[] {
    const records: TraceRecord[] = [];
    let start = 0;
    for (let at = 0; at < text.length; at += 1) {
      if (this.#state === 'between') {
        if (separators.includes(text.charAt(at))) continue;
        start = at;
      }
      const isSkipped = this.#state === 'skipped';
      const isWhole = this.#ends(text.charCodeAt(at));
      const isTooLong = !isSkipped && this.#text.length + at - start > longestRecord;
      if (!isSkipped && (isWhole || isTooLong)) records.push(this.#record(text.slice(start, at + 1)));
      if (isTooLong) this.#state = 'skipped';
      else if (isWhole) this.#state = 'between';
    }
    const isOpen = this.#state !== 'between' && this.#state !== 'skipped';
    if (isOpen) this.#text += text.slice(start);
    return records;
  }

  end(): readonly TraceRecord[] {
    return this.#text === '' ? [] : [this.#record('')];
  }

  /** Whether the record ends with this character. */
  #ends(code: number): boolean {
    switch (this.#state) {
      case 'between':
        this.#state = code === openBrace ? 'object' : 'garbage';
        this.#depth = 1;
        return false;
      case 'garbage':
      case 'skipped':
        return code === newline;
      case 'escape':
        this.#state = 'text';
        return false;
      case 'text':
        if (code === quote) this.#state = 'object';
        else if (code === backslash) this.#state = 'escape';
        return false;
      case 'object':
        if (code === quote) this.#state = 'text';
        else if (code === openBrace) this.#depth += 1;
        else if (code === closeBrace) this.#depth -= 1;
        return this.#depth === 0;
    }
  }

  #record(text: string): TraceRecord {
    this.#number += 1;
    const record = { number: this.#number, text: (this.#text + text).slice(0, longestRecord) };
    this.#text = '';
    return record;
  }
}
