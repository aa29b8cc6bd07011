// A schema as HTML: a line for each field with its type and allowed values.

import { html } from 'hono/html';
import type { oas31 } from 'zod-openapi';

export type Html = ReturnType<typeof html>;
export type Schema = oas31.SchemaObject | oas31.ReferenceObject;

/** Deeper than any schema of ours. */
const MAX_DEPTH = 8;
const MAX_PATTERN_CHARACTERS = 60;

/** Text in which backticks mark code. */
export function prose(text: string): Html {
  const parts = text.split('`');
  return html`${parts.map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}

/** What a value is, in a few words: `string, at most 64 characters`. */
export function typeOf(schema: Schema): Html {
  if (isReference(schema)) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) {
    return html`${variants.map((one, index) => html`${index > 0 ? ' or ' : ''}${typeOf(one)}`)}`;
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum !== undefined) {
    return html`${schema.enum.map(
      (value, index) => html`${index > 0 ? ' | ' : ''}<code>${String(value)}</code>`,
    )}`;
  }
  if (schema.type === 'array' && schema.items !== undefined) {
    return html`array of ${typeOf(schema.items)}${boundsOf(schema)}`;
  }
  const values = schema.additionalProperties;
  if (schema.properties === undefined && typeof values === 'object') {
    return html`object of ${typeOf(values)}`;
  }
  const types = [schema.type ?? 'anything'].flat();
  return html`${schema.format ?? types.join(' or ')}${boundsOf(schema)}`;
}

function boundsOf(schema: oas31.SchemaObject): string {
  const bounds = [
    schema.minimum === undefined || schema.minimum <= Number.MIN_SAFE_INTEGER
      ? ''
      : `from ${schema.minimum}`,
    schema.maximum === undefined || schema.maximum >= Number.MAX_SAFE_INTEGER
      ? ''
      : `up to ${schema.maximum}`,
    schema.minLength === undefined ? '' : 'not empty',
    schema.maxLength === undefined ? '' : `at most ${schema.maxLength} characters`,
    schema.maxItems === undefined ? '' : `at most ${schema.maxItems}`,
    isShown(schema) ? (schema.pattern ?? '') : '',
  ].filter((text) => text !== '');
  return bounds.length === 0 ? '' : `, ${bounds.join(', ')}`;
}

/** The pattern of a format says less than its name. */
function isShown({ pattern, format }: oas31.SchemaObject): boolean {
  return pattern !== undefined && format === undefined && pattern.length <= MAX_PATTERN_CHARACTERS;
}

/** The fields of an object, or the alternatives of which one has to match; empty for all other schemas. */
export function fieldsOf(schema: Schema, depth = 0): Html {
  if (isReference(schema) || depth >= MAX_DEPTH) return html``;
  const variants = (schema.anyOf ?? schema.oneOf ?? []).filter(hasFields);
  if (variants.length > 0) {
    return html`<ul class="forms">
      ${variants.map((one) => html`<li>${titleOf(one)}${fieldsOf(one, depth + 1)}</li>`)}
    </ul>`;
  }
  const ofItems = schema.items === undefined ? html`` : fieldsOf(schema.items, depth + 1);
  if (schema.properties === undefined) return ofItems;
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties).map(
    ([name, field]) => html`<li>
      <code>${name}</code>${required.has(name) ? '' : html` <i>optional</i>`} ${typeOf(field)}
      ${describe(field)} ${fieldsOf(field, depth + 1)}
    </li>`,
  );
  return html`<ul>${fields}</ul>`;
}

function hasFields(schema: Schema): boolean {
  return !isReference(schema) && schema.properties !== undefined;
}

function titleOf(schema: Schema): Html {
  return isReference(schema) || schema.title === undefined ? html`` : prose(schema.title);
}

function describe(schema: Schema): Html {
  return schema.description === undefined ? html`` : html`– ${prose(schema.description)}`;
}

export function isReference(schema: object): schema is oas31.ReferenceObject {
  return '$ref' in schema;
}
