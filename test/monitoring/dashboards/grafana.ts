import type { Dashboard, DashboardPanel } from './panels.ts';

/** Grafana's grid has 24 columns. */
const columns = 24;
const sizes = { number: { w: 4, h: 4 }, graph: { w: 12, h: 8 } } as const;
/** The installation that the variables at the top of the page choose. */
const selector = 'namespace=~"$namespace", job=~"$job"';
// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
const datasource = { type: 'prometheus', uid: '${datasource}' };

/** The expressions of a panel, as Grafana is to ask them. */
export function expressionsOf({ lines }: DashboardPanel): readonly string[] {
  return Object.keys(lines).map((expression) => expression.replaceAll('{$job', `{${selector}`));
}

/** A dashboard as JSON that Grafana imports, from version 10 on. */
export function grafana({ name, title, rows }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const [row, shown] of Object.entries(rows)) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row,
      gridPos: { x: 0, y, w: columns, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of shown) {
      const size = panel.isNumber === true ? sizes.number : sizes.graph;
      if (x + size.w > columns || (height > 0 && size.h !== height)) {
        y += height;
        x = 0;
      }
      height = size.h;
      panels.push(placed(panel, panels.length + 1, { x, y, ...size }));
      x += size.w;
    }
    y += height;
  }
  return {
    uid: name,
    title,
    tags: ['quayside'],
    schemaVersion: 39,
    editable: true,
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: variables },
    links: [{ type: 'dashboards', title: 'Quayside', tags: ['quayside'], includeVars: true, keepTime: true }],
    panels,
  };
}

function placed(panel: DashboardPanel, id: number, gridPos: object): object {
  const legends = Object.values(panel.lines);
  return {
    id,
    type: panel.isNumber === true ? 'stat' : 'timeseries',
    title: panel.title,
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit: panel.unit, min: 0 }, overrides: [] },
    ...(panel.isNumber === true ? {} : { options: { legend: { displayMode: 'list', placement: 'bottom' } } }),
    targets: expressionsOf(panel).map((expr, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat: legends[index],
      ...(panel.isNumber === true ? { instant: true } : {}),
    })),
  };
}

function labelVariable(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: name },
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
    refresh: 2,
  };
}

const variables = [
  { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
  labelVariable('namespace', 'Namespace', 'label_values(quayside_build_info, namespace)'),
  labelVariable('job', 'Job', 'label_values(quayside_build_info{namespace=~"$namespace"}, job)'),
];
