import { type Fields, isObject, listOf } from '../../base/text/json.ts';
import { settingsSchema } from './schema.ts';

/**
 * The schema of the settings as JSON Schema 2020-12, for editors and for the Helm chart: a setting
 * with a default may be absent.
 */
export function publishedSchema(): Fields {
  const plain: unknown = JSON.parse(JSON.stringify(settingsSchema));
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...(optional(plain) as Fields) };
}

/** The validator fills in defaults before it checks; others do not. */
function optional(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(optional);
  if (!isObject(schema)) return schema;
  const fields = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, optional(value)]));
  const { required, ...others } = fields;
  const { properties } = schema;
  if (!isObject(properties) || !Array.isArray(required)) return fields;
  const needed = listOf(required).filter((name) => !hasDefault(properties[String(name)]));
  return needed.length === 0 ? others : { ...fields, required: needed };
}

function hasDefault(schema: unknown): boolean {
  return isObject(schema) && Object.hasOwn(schema, 'default');
}
