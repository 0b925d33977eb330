import { html, type Markup } from './html.ts';

/** A column: its heading, and what stands in it. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Markup;
  /** Figures stand at the right, one below the other. */
  readonly isNumber?: boolean;
}

interface TableProperties<Row> {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
}

/** A table, which scrolls sideways by itself where the page is narrow. */
export function Table<Row>({ label, columns, rows, keyOf }: TableProperties<Row>): Markup {
  return html`<div class="table" role="region" aria-label=${label} tabindex="0">
    <table>
      <thead>
        <tr>${columns.map(
          ({ title, isNumber }) =>
            html`<th key=${title} scope="col" class=${isNumber ? 'number' : ''}>${title}</th>`,
        )}</tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr key=${keyOf(row)}>
            ${columns.map(
              ({ title, cell, isNumber }) =>
                html`<td key=${title} class=${isNumber ? 'number' : ''}>${cell(row)}</td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
