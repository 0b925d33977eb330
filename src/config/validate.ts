import type { TSchema } from 'typebox';
import { Settings as TypeboxSettings } from 'typebox/system';
import { Pointer, Value } from 'typebox/value';
import { field, fieldsOf } from '../base/text/json.ts';
import { nearest } from '../base/text/nearest.ts';
import type { ConfigRefusal, FaultPath } from './faults.ts';

type SchemaFailure = ReturnType<typeof Value.Errors>[number];

/** Everything about `value` that the schema refuses, each once, in the schema's order. */
export function refusals(schema: TSchema, value: unknown): ConfigRefusal[] {
  return allErrors(schema, value).flatMap((failure) => {
    const path = pathOf(failure.instancePath, value);
    return worded(failure, schema).map(([key, message]) => ({
      path: key === undefined ? path : [...path, key],
      message,
    }));
  });
}

/**
 * The library stops at eight errors by default, and has only a global setting. To look for errors
 * where there are none takes three times as long as the check.
 */
function allErrors(schema: TSchema, value: unknown): SchemaFailure[] {
  if (Value.Check(schema, value)) return [];
  const { maxErrors } = TypeboxSettings.Get();
  try {
    TypeboxSettings.Set({ maxErrors: 1000 });
    return Value.Errors(schema, value);
  } finally {
    TypeboxSettings.Set({ maxErrors });
  }
}

/** The failure in our words; with a key where it is about one inside the place that failed. */
function worded(failure: SchemaFailure, schema: TSchema): [key: string | undefined, message: string][] {
  switch (failure.keyword) {
    case 'additionalProperties':
      return failure.params.additionalProperties.map((key) => [
        key,
        `is not a setting${suggestion(key, schema, failure.schemaPath)}`,
      ]);
    // Says a second time what `additionalProperties` says.
    case 'boolean':
      return [];
    case 'required':
      return failure.params.requiredProperties.map((key) => [key, 'is required']);
    case 'enum':
      return [[undefined, `must be one of ${failure.params.allowedValues.join(', ')}`]];
    case 'minLength':
      return [[undefined, 'must not be empty']];
    default:
      return [[undefined, failure.message]];
  }
}

function suggestion(key: string, schema: TSchema, schemaPath: string): string {
  const place = Pointer.Get(schema, schemaPath.replace(/^#/, ''));
  const names = Object.keys(fieldsOf(field(place, 'properties')));
  const meant = nearest(key, names);
  return meant === undefined ? `; there are ${names.join(', ')}` : `; did you mean ${meant}?`;
}

/** The pointer's segments, positions in lists as numbers. */
function pathOf(pointer: string, value: unknown): FaultPath {
  let place = value;
  return Pointer.Indices(pointer).map((segment) => {
    const isPosition = Array.isArray(place);
    place = field(place, segment);
    return isPosition ? Number(segment) : segment;
  });
}
